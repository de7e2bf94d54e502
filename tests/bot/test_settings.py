"""Settings: every problem at once, never a value, and nothing that opens more than was meant."""

from pathlib import Path

import pytest

from bot.settings import BadConfiguration, Settings, load, secret_values
from tests.rack import fake_services
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


def test_sources_environment_file_and_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("TIMEZONE=Europe/London\nAUTONOMY=observe\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "anthropic_api_key").write_text("sk-ant-from-a-file\n")
    monkeypatch.setenv("AUTONOMY", "reversible")
    found, of_services = load(fake_services(), tmp_path / "env", {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert (found.timezone, found.autonomy) == ("Europe/London", Autonomy.REVERSIBLE)
    assert found.anthropic_api_key.get_secret_value().strip() == "sk-ant-from-a-file"
    assert set(of_services) == {"rack", "notes"}


def test_secrets_are_known_and_not_shown() -> None:
    found = settings(telegram_bot_token=TOKEN, anthropic_api_key="sk-ant-0123456789", webhook_token="")
    assert set(found.secrets()) == {TOKEN, "sk-ant-0123456789"} == set(secret_values(found))
    assert TOKEN not in repr(found) and "0123456789" not in str(found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["TELEGRAM_BOT_TOKEN: not set", "TELEGRAM_ADMINS: no admin"]),
        ({"telegram_bot_token": "changeme", "telegram_admins": "1"}, ["TELEGRAM_BOT_TOKEN: this is not"]),
        ({"telegram_bot_token": "12345:short", "telegram_admins": "1"}, ["TELEGRAM_BOT_TOKEN: this is not"]),
        ({"telegram_bot_token": TOKEN, "telegram_admins": "1", "webhook_token": TOKEN}, ["WEBHOOK_TOKEN: must differ"]),
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
