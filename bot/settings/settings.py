"""Settings: environment, `.env`, and files in `$CREDENTIALS_DIRECTORY`. All problems at once, never a value."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.settings.sources import Unreadable, credential_problems, env_file_problems
from memory.retention import LEAST_AUDIT_DAYS, LEAST_DAYS, Keep
from memory.secrets import MASK
from tools.gate.policy import Autonomy
from tools.kit.registry import discover
from tools.kit.service import Service
from tools.kit.settings import ServiceSettings

_PLACEHOLDER = re.compile(
    r"undefined|null|none|token|todo|change[-_ ]?(me|this)|your[-_ ].*|.*[-_ ]here|(sk-ant-)?x{3,}|<.*>|\$\{?\w+\}?"
    r"|.*(…|\.{3}).*",
    re.IGNORECASE,
)
"""What stands where nobody has put a secret yet, as examples and templates have it."""
TELEGRAM_TOKEN = re.compile(r"\d{4,12}:[A-Za-z0-9_-]{20,}")
SERVICE_NAME = re.compile(r"[a-z_]{1,20}")

T = TypeVar("T", bound=BaseSettings)
Limits = frozenset[str] | None
"""Services that a role is limited to; None means every service."""


class BadConfiguration(Exception):
    """Everything that is wrong with the configuration, a line for each setting."""


def _people(value: Any) -> dict[int, Limits]:
    """`42, 43:this+that` → numeric ids with the services that each role is limited to."""
    people: dict[int, Limits] = {}
    for item in (part.strip() for part in str(value or "").split(",")):
        if not item:
            continue
        ident, limited, services = item.partition(":")
        if not re.fullmatch(r"-?[1-9][0-9]{0,18}", ident):
            raise ValueError("use numeric Telegram ids, separated by commas; @userinfobot tells yours")
        if limited and not all(services.split("+")):
            raise ValueError("name the services behind the colon, joined by +, e.g. 42:memory")
        before, here = people.get(int(ident), frozenset()), frozenset(services.split("+")) if limited else None
        people[int(ident)] = None if before is None or here is None else before | here
    return people


def _words(value: Any) -> frozenset[str]:
    return frozenset(part.strip() for part in str(value or "").split(",") if part.strip())


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("use a name such as Europe/London")
    return value


def _clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("use HH:MM")
    return value


def _hours(value: str) -> str:
    if value and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError("use HH:MM-HH:MM")
    return value


def _url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", value):
        raise ValueError("use an address such as https://host:port")
    return value


def _number(value: Any) -> Any:
    return None if value in ("", None) else value


def _bare(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


Secret = Annotated[SecretStr, BeforeValidator(_bare)]
"""A credential; the space and the line end that come along when it is pasted are no part of it."""
Listed = Annotated[dict[int, Limits], NoDecode, BeforeValidator(_people)]
Words = Annotated[frozenset[str], NoDecode, BeforeValidator(_words)]
ChatId = Annotated[int | None, BeforeValidator(_number)]
Url = Annotated[str, AfterValidator(_url)]
IDLE = "Not used yet."
"""How the comment of a setting ends whose feature is still to come: its name is fixed, and nobody is misled."""


class Settings(BaseSettings):
    """Rackhand's own settings; the line under each is its comment in `.env.example`."""

    model_config = SettingsConfigDict(
        extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True, env_ignore_empty=True
    )

    telegram_bot_token: Secret = SecretStr("")
    """The bot's token, from @BotFather."""
    telegram_api_url: Url = "https://api.telegram.org"
    """Root of the Bot API; change it only for a server of your own."""
    telegram_admins: Listed = Field(default_factory=dict)
    """Numeric ids who may approve everything, comma-separated. A role may be limited to services: 42:memory+more."""
    telegram_operators: Listed = Field(default_factory=dict)
    """Numeric ids who may approve changes, but nothing that destroys."""
    telegram_viewers: Listed = Field(default_factory=dict)
    """Numeric ids who may only look."""
    telegram_chats: Listed = Field(default_factory=dict)
    """Ids of groups it may speak in; without any it speaks in private chats only."""
    anthropic_api_key: Secret = SecretStr("")
    """From the Anthropic console. Without it commands work and free text does not."""
    anthropic_base_url: Url = ""
    """Root of the Messages API, when it is not Anthropic's own."""
    model_fast: str = "claude-haiku-5-5"
    """For simple turns. Not used yet."""
    model_balanced: str = "claude-sonnet-5-5"
    """For every turn."""
    model_flagship: str = "claude-opus-5-5"
    """For the hardest turns. Not used yet."""
    autonomy: Autonomy = Autonomy.ASK
    """observe: refuse changes, say what they would do. ask: a card each. reversible: run what can be undone."""
    protected_targets: Words = frozenset()
    """Names or ids that always ask, comma-separated."""
    forbidden_targets: Words = frozenset()
    """Names or ids that are never touched, whoever asks."""
    budget_task_usd: float = Field(default=0.25, ge=0)
    """Most that one request may cost."""
    budget_daily_usd: float = Field(default=1.0, ge=0)
    """Most that one day may cost."""
    data_dir: Path = Path("./data")
    """Where the database lives."""
    keep_days: int = Field(default=Keep.days, ge=LEAST_DAYS)
    """Days until a request, what it changed, what was said and what it cost is forgotten."""
    keep_audit_days: int = Field(default=Keep.audit_days, ge=LEAST_AUDIT_DAYS)
    """Days until a record of the audit log moves into a file in DATA_DIR/audit."""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """For times in messages and schedules."""
    digest_time: Annotated[str, AfterValidator(_clock)] = "08:00"
    """When the daily digest is sent."""
    digest_chat: ChatId = None
    """Where it is sent; the first admin when empty."""
    alert_chat: ChatId = None
    """Where the bot reports trouble of its own; the first admin when empty."""
    quiet_hours: Annotated[str, AfterValidator(_hours)] = "22:00-07:00"
    """When messages make no sound. Not used yet."""
    http_listen: str = ""
    """Address for webhooks, health and metrics, e.g. 127.0.0.1:8477; empty: off. Not used yet."""
    webhook_token: Secret = SecretStr("")
    """Bearer token that webhooks must carry. Not used yet."""
    heartbeat_url: Url = ""
    """Fetched regularly while all is well: a dead-man's switch of your own. Not used yet."""
    embedder: Literal["wordllama", "none"] = "wordllama"
    """What turns text into vectors for the memory; none: search by words only."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """How much is logged."""

    @property
    def zone(self) -> ZoneInfo:
        """TIMEZONE as an object."""
        return ZoneInfo(self.timezone)

    @property
    def keep(self) -> Keep:
        """For how long the books are kept."""
        return Keep(self.keep_days, self.keep_audit_days)

    @property
    def first_admin(self) -> int | None:
        """The default for chats that are not set."""
        return next(iter(self.telegram_admins), None)

    def limit_problems(self, services: set[str]) -> list[str]:
        """Roles that are limited to services which do not exist."""
        found = []
        for name in ("telegram_admins", "telegram_operators", "telegram_viewers"):
            limits = filter(None, getattr(self, name).values())
            if unknown := sorted({service for limit in limits for service in limit} - services):
                # What looks like no service's name may be a secret in the wrong line: a bot token has this very form.
                said = ", ".join(word if SERVICE_NAME.fullmatch(word) else MASK for word in unknown)
                found.append(f"{name.upper()}: there is no service {said}; there are {', '.join(sorted(services))}.")
        return found

    def telegram_problems(self) -> list[str]:
        """What keeps the bot from speaking to Telegram."""
        token, found = self.telegram_bot_token.get_secret_value(), []
        if not token:
            found.append("TELEGRAM_BOT_TOKEN: not set; get one from @BotFather.")
        elif is_placeholder(token) or not TELEGRAM_TOKEN.fullmatch(token):
            found.append("TELEGRAM_BOT_TOKEN: this is not a bot token (123456:ABC…); get one from @BotFather.")
        if not self.telegram_admins:
            found.append("TELEGRAM_ADMINS: no admin; put your numeric Telegram id there (@userinfobot tells it).")
        return found

    def idle(self) -> list[str]:
        """Settings that somebody has filled in although nothing uses them yet."""
        fields = type(self).model_fields
        return [
            name.upper() for name in sorted(self.model_fields_set) if (fields[name].description or "").endswith(IDLE)
        ]


def is_placeholder(secret: str) -> bool:
    """Whether somebody has copied the example and not filled it in."""
    return _PLACEHOLDER.fullmatch(secret.strip()) is not None


def secret_values(settings: BaseSettings) -> list[str]:
    """Every secret in these settings."""
    return [secret for name in type(settings).model_fields for secret in _secrets(getattr(settings, name))]


def _secrets(value: Any) -> list[str]:
    """What a field holds of secrets: its own, or one for each address."""
    held = [value] if isinstance(value, SecretStr) else value.values() if isinstance(value, dict) else []
    return [each.get_secret_value() for each in held if isinstance(each, SecretStr) and each.get_secret_value()]


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def load(
    services: list[Service[Any]],
    env_file: Path | None = Path(".env"),
    environ: Mapping[str, str] = os.environ,
    *,
    bot: bool = False,
) -> tuple[Settings, dict[str, ServiceSettings]]:
    """Our settings and each service's by its name; for the `bot`, also fit to speak to Telegram.

    Raises BadConfiguration with every problem at once.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY")
    try:
        problems = _file_problems([Settings, *(service.settings for service in services)], env_file, folder)
    except Unreadable as error:
        raise BadConfiguration(str(error)) from None
    sources: dict[str, Any] = {"_env_file": env_file, "_secrets_dir": folder}
    settings = _load_one(Settings, sources, problems)
    found = {service.name: _load_one(service.settings, sources, problems) for service in services}
    if settings is not None:
        problems += settings.limit_problems({service.name for service in services})
    if bot and settings is not None:
        for problem in (*settings.telegram_problems(), *secret_problems([settings, *found.values()])):
            if problem.partition(":")[0] not in {named.partition(":")[0] for named in problems}:
                problems.append(problem)
    if problems or settings is None:
        raise BadConfiguration("\n".join(problems))
    return settings, {name: value for name, value in found.items() if value is not None}


def _file_problems(kinds: list[type[BaseSettings]], env_file: Path | None, folder: str | None) -> list[str]:
    names = {name: field for kind in kinds for name, field in _variables(kind)}
    secrets = frozenset(name for name, field in names.items() if _is_secret(field))
    found = env_file_problems(env_file, frozenset(names), secrets) if env_file else []
    return found + (credential_problems(Path(folder), secrets) if folder else [])


def _variables(kind: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo]]:
    """Each field by the name of its variable."""
    prefix = kind.model_config.get("env_prefix", "")
    return ((f"{prefix}{name}".upper(), field) for name, field in kind.model_fields.items())


def secret_problems(loaded: Iterable[BaseSettings | None]) -> Iterator[str]:
    """Secrets that nobody has filled in, and one that opens two doors: what leaks at one opens the other."""
    owners: dict[str, str] = {}
    for settings in filter(None, loaded):
        for (name, _), value in zip(_variables(type(settings)), dict(settings).values(), strict=True):
            for secret in map(str.strip, _secrets(value)):
                if is_placeholder(secret):
                    yield f"{name}: this is a placeholder; put the real one there, or nothing."
                elif secret and owners.setdefault(secret, name) != name:
                    yield f"{name}: must differ from {owners[secret]}."


def _load_one(kind: type[T], sources: dict[str, Any], problems: list[str]) -> T | None:
    """The settings; with problems, what they are without the wrong ones, so that the rest can be judged, too."""
    try:
        return kind(**sources)
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        for item in error.errors(include_input=False, include_url=False):
            name = f"{prefix}{'.'.join(map(str, item['loc'])) or kind.__module__}".upper()
            problem = f"{name}: {item['msg'].removeprefix('Value error, ')}."
            problems += [] if problem in problems else [problem]  # what is not set may be wrong, too
        wrong = {str(item["loc"][0]) for item in error.errors() if item["loc"]} - sources.keys()
        if wrong:
            defaults = {name: kind.model_fields[name].get_default(call_default_factory=True) for name in wrong}
            return _load_one(kind, {**sources, **defaults}, problems)
    except ValueError as error:
        # pydantic-settings raises its own error for JSON it cannot read, naming the field but not its value.
        problems.append(f"{str(error).splitlines()[0]}.")
    return None


@dataclass(frozen=True)
class Configuration:
    """The services there are, our own settings, and the settings of each service by its name."""

    services: list[Service[Any]]
    settings: Settings
    service_settings: dict[str, ServiceSettings]

    def secrets(self) -> list[str]:
        """Every secret value, for the redactor."""
        return [value for each in (self.settings, *self.service_settings.values()) for value in secret_values(each)]


def configured(env_file: Path | None, *, bot: bool = False) -> Configuration:
    """What the owner has set; for the `bot`, also fit to speak to Telegram.

    Raises BadConfiguration with every problem at once.
    """
    services = discover()
    return Configuration(services, *load(services, env_file, bot=bot))
