"""Settings: every problem at once, never a value, and nothing that opens more than was meant."""

import re
from pathlib import Path

import pytest

from bot.settings.settings import BadConfiguration, Configuration, Settings, load, secret_values
from tests.rack import RackSettings, fake_services
from tools.gate.policy import Autonomy

TOKEN = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFakeFak"


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg]


def problems(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadConfiguration) as error:
        load(fake_services(), None)
    return str(error.value)


def test_without_anything_it_is_careful() -> None:
    bare = settings()
    assert bare.autonomy is Autonomy.ASK and bare.telegram_admins == {} and bare.http_listen == ""
    assert (bare.budget_task_usd, bare.budget_daily_usd, bare.timezone) == (0.25, 1.0, "UTC")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", {}),
        ("42", {42: None}),
        (" 42 , 43,", {42: None, 43: None}),
        ("42:docker+pihole", {42: frozenset({"docker", "pihole"})}),
        ("42:docker,42:pihole", {42: frozenset({"docker", "pihole"})}),
        ("42:docker,42", {42: None}),
        ("-100123", {-100123: None}),
    ],
)
def test_people(written: str, read: dict[int, object]) -> None:
    assert settings(telegram_operators=written).telegram_operators == read


@pytest.mark.parametrize(
    "written", ["@admin", "4 2", "7:", "7:docker+", "7:+", "0", "forty-two", "42;43", "٤٢", "4" * 20]
)
def test_people_who_are_not_meant_are_not_let_in(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    found = problems(monkeypatch, TELEGRAM_ADMINS=written)
    assert found.startswith("TELEGRAM_ADMINS: ") and written not in found


def test_every_problem_is_named_at_once_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(
        monkeypatch,
        AUTONOMY="yolo-value", TIMEZONE="Mars/Phobos", DIGEST_TIME="25:00", QUIET_HOURS="late", BUDGET_DAILY_USD="-5",
        DIGEST_CHAT="nobody-value", LOG_LEVEL="LOUD-VALUE", RACK_URL="x" * 3,
    )  # fmt: skip
    names = [line.partition(":")[0] for line in found.splitlines()]
    assert sorted(names) == [
        "AUTONOMY", "BUDGET_DAILY_USD", "DIGEST_CHAT", "DIGEST_TIME", "LOG_LEVEL", "QUIET_HOURS", "TIMEZONE",
    ]  # fmt: skip
    for value in ("yolo-value", "Mars", "25:00", "-5", "nobody-value", "LOUD-VALUE"):
        assert value not in found


def test_empty_means_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTONOMY", "DIGEST_CHAT", "BUDGET_TASK_USD", "TELEGRAM_ADMINS"):
        monkeypatch.setenv(name, "")
    found, _ = load([], None)
    assert found == settings()


def test_space_around_a_credential_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", f" {TOKEN}\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "\tsk-ant-1 \r\n")
    found, _ = load([], None)
    assert found.telegram_bot_token.get_secret_value() == TOKEN
    assert found.anthropic_api_key.get_secret_value() == "sk-ant-1"


def test_sources_environment_file_and_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("TIMEZONE=Europe/London\nAUTONOMY=observe\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "anthropic_api_key").write_text("sk-ant-from-a-file\n")
    (credentials / "anthropic_api_key").chmod(0o440)
    monkeypatch.setenv("AUTONOMY", "reversible")
    found, of_services = load(fake_services(), tmp_path / "env", {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert (found.timezone, found.autonomy) == ("Europe/London", Autonomy.REVERSIBLE)
    assert found.anthropic_api_key.get_secret_value() == "sk-ant-from-a-file"
    assert set(of_services) == {"rack", "notes"}


# -- the files that settings come from ---------------------------------------------------------------------------------

SECRET = "hunter2-0123456789"


def refusal(env_file: Path | None, credentials: Path | None = None, *, bot: bool = False) -> str:
    """What loading from these files is refused with; empty when it is not. Never a secret."""
    try:
        load(fake_services(), env_file, {"CREDENTIALS_DIRECTORY": str(credentials)} if credentials else {}, bot=bot)
    except BadConfiguration as error:
        assert SECRET not in str(error)
        return str(error)
    return ""


def written(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o777])
@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "rack_token"])
def test_a_settings_file_with_a_secret_is_for_its_owner_alone(tmp_path: Path, mode: int, name: str) -> None:
    file = written(tmp_path / "my env", f"{name}={SECRET}\nTIMEZONE=Mars/City\n", mode)
    first, second = refusal(file).splitlines()
    assert first.startswith(f"{file}: ") and first.endswith(f" {name.upper()}: chmod 600 '{file}'")
    assert second.startswith("TIMEZONE: "), "and what else is wrong is said with it"
    file.chmod(0o600)
    assert refusal(file) == second


@pytest.mark.parametrize("text", ["TIMEZONE=UTC\n", "ANTHROPIC_API_KEY=\n", f"# ANTHROPIC_API_KEY={SECRET}\n", ""])
def test_without_a_secret_anybody_may_read_it(tmp_path: Path, text: str) -> None:
    assert refusal(written(tmp_path / ".env", text, 0o644)) == ""


def test_the_example_may_be_copied_before_it_is_filled_in(tmp_path: Path) -> None:
    example = (Path(__file__).parents[3] / ".env.example").read_bytes()
    assert refusal(written(tmp_path / ".env", example, 0o644)) == ""


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path) -> None:
    real = written(tmp_path / "real", f"ANTHROPIC_API_KEY={SECRET}\n", 0o644)
    link = tmp_path / ".env"
    link.symlink_to(real)
    assert refusal(link).endswith(f": chmod 600 {real}")
    real.chmod(0o600)
    assert refusal(link) == ""
    real.unlink()
    assert refusal(link) == f"{link}: this link leads nowhere."


def test_what_is_no_file_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == "" == refusal(Path("/dev/null"))
    assert refusal(tmp_path) == f"{tmp_path}: this is a folder, not a settings file."
    assert "UTF-8" in refusal(written(tmp_path / "a", b"\xff\xfeT\x00=\x001"))


def test_a_setting_stands_once(tmp_path: Path) -> None:
    text = f"TIMEZONE=UTC\nANTHROPIC_API_KEY={SECRET}\nanthropic_api_key=other\n{SECRET}\n{SECRET}\nOTHER=1\nOTHER=2\n"
    file = written(tmp_path / ".env", text)
    assert refusal(file) == f"ANTHROPIC_API_KEY: stands 2 times in {file}; keep one."


def test_a_line_that_is_no_setting_is_named_by_its_number(tmp_path: Path) -> None:
    file = written(tmp_path / ".env", f"TIMEZONE=UTC\nANTHROPIC_API_KEY='{SECRET}\n")
    assert f"{file}: line 2 cannot be read as NAME=value." in refusal(file).splitlines()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_file_from_a_windows_editor(tmp_path: Path, mark: bytes, end: bytes) -> None:
    file = written(tmp_path / ".env", mark + end.join([b"ANTHROPIC_API_KEY=sk-1", b"TIMEZONE=Europe/London", b""]))
    found, _ = load([], file)
    assert (found.anthropic_api_key.get_secret_value(), found.timezone) == ("sk-1", "Europe/London")


@pytest.mark.parametrize(("mode", "refused"), [(0o400, False), (0o440, False), (0o600, False), (0o444, True)])
def test_credentials_that_everyone_can_read(tmp_path: Path, mode: int, refused: bool) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir(mode=0o755)
    written(credentials / "timezone", "UTC", 0o644)
    file = written(credentials / "anthropic_api_key", SECRET, mode)
    said = f"{file}: everyone on this machine can read this secret: chmod 600 {file}"
    assert refusal(None, credentials) == (said if refused else "")
    credentials.chmod(0o500)
    assert refusal(None, credentials) == "", "others cannot get to it"


def test_secrets_that_nobody_filled_in_and_one_for_two_doors(tmp_path: Path) -> None:
    text = f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_ADMINS=1\n"
    fine = written(tmp_path / "fine", text)
    assert refusal(fine, bot=True) == ""
    shared = written(
        tmp_path / "shared", f"{text}RACK_TOKEN={SECRET}\nWEBHOOK_TOKEN={SECRET}\nANTHROPIC_API_KEY=changeme\n"
    )
    assert refusal(shared, bot=True).splitlines() == [
        "ANTHROPIC_API_KEY: this is a placeholder; put the real one there, or nothing.",
        "RACK_TOKEN: must differ from WEBHOOK_TOKEN.",
    ]


def test_secrets_are_known_and_not_shown() -> None:
    found = settings(telegram_bot_token=TOKEN, anthropic_api_key="sk-ant-0123456789", webhook_token="")
    assert set(secret_values(found)) == {TOKEN, "sk-ant-0123456789"}
    configuration = Configuration(fake_services(), found, {"rack": RackSettings(_env_file=None)})
    assert set(configuration.secrets()) > {TOKEN, "sk-ant-0123456789"}, "and those of the services"
    assert TOKEN not in repr(found) and "0123456789" not in str(found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["TELEGRAM_BOT_TOKEN: not set", "TELEGRAM_ADMINS: no admin"]),
        ({"telegram_bot_token": "changeme", "telegram_admins": "1"}, ["TELEGRAM_BOT_TOKEN: this is not"]),
        ({"telegram_bot_token": "12345:short", "telegram_admins": "1"}, ["TELEGRAM_BOT_TOKEN: this is not"]),
        ({"telegram_bot_token": f" {TOKEN}\n", "telegram_admins": "1"}, []),
    ],
)
def test_what_keeps_it_from_telegram(values: dict[str, str], words: list[str]) -> None:
    found = settings(**values).telegram_problems()
    assert len(found) == len(words) and all(text.startswith(word) for text, word in zip(found, words, strict=True))


def test_lists_of_names() -> None:
    assert settings(forbidden_targets=" nas , ,vm 104").forbidden_targets == {"nas", "vm 104"}


def test_the_first_admin_is_the_default_for_chats() -> None:
    assert settings(telegram_admins="7,8").first_admin == 7 and settings().first_admin is None
    assert str(settings(timezone="Europe/London").zone) == "Europe/London"


@pytest.mark.parametrize("address", ["banana", "ftp://x", "https://user:secret@host", "https://", "http://a b"])
@pytest.mark.parametrize("name", ["TELEGRAM_API_URL", "ANTHROPIC_BASE_URL"])
def test_an_address_is_one(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    found = problems(monkeypatch, **{name: address})
    assert found == f"{name}: use an address such as https://host:port."


def test_a_role_is_limited_to_services_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(monkeypatch, TELEGRAM_OPERATORS="42:rack+rakc")
    assert found == "TELEGRAM_OPERATORS: there is no service rakc; there are notes, rack."


@pytest.mark.parametrize("secret", ["AAHq7zXxYyZz0123456789abcdefghijklm", "sk-ant-abcdefghij"])
def test_a_token_in_the_wrong_line_is_not_repeated(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    found = problems(monkeypatch, TELEGRAM_ADMINS=f"123456789:{secret}")
    assert found == "TELEGRAM_ADMINS: there is no service •••; there are notes, rack."


def test_a_mistyped_name_is_found_before_it_protects_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("FORBIDEN_TARGETS=nas-secret\nCOMPOSE_PROJECT_NAME=home\nTZ=UTC\n")
    with pytest.raises(BadConfiguration) as error:
        load(fake_services(), path)
    assert str(error.value) == f"FORBIDEN_TARGETS: nothing reads this name in {path}; is FORBIDDEN_TARGETS meant?"


def test_every_setting_is_used_or_says_that_it_is_not() -> None:
    root = Path(__file__).parents[3]
    sources = [path for folder in ("bot", "scheduler", "tools") for path in (root / folder).rglob("*.py")]
    text = "\n".join(path.read_text() for path in [*sources, root / "main.py"])
    for name, field in Settings.model_fields.items():
        used = re.search(rf"(settings|self)\.{name}\b|\"{name}\"", text) is not None
        assert used is not (field.description or "").endswith("Not used yet."), name
    assert settings(http_listen="x", log_level="INFO").idle() == ["HTTP_LISTEN"]
