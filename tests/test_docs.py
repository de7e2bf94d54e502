"""The documents are true: every command, setting, tool, file and make target that they name exists."""

import re
from pathlib import Path

import pytest

from bot import pages as pages  # registers its commands
from bot.catalogue import describe, env_example, table
from bot.commands import COMMANDS
from bot.settings import Settings
from main import parser
from tools.kit.registry import discover

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings_names() -> set[str]:
    """Every environment variable that `main.py env` prints."""
    return set(re.findall(r"^#?([A-Z][A-Z_]+)=", env_example(Settings, discover()), re.MULTILINE))


def test_the_settings_example_is_current() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example(Settings, discover())


def test_the_tool_table_is_current() -> None:
    assert (ROOT / "docs" / "tools.md").read_text(encoding="utf-8").strip() == table(describe(discover())).strip()


def test_every_command_of_the_readme_is_a_door() -> None:
    named = set(re.findall(r"main\.py ([a-z]+)", README))
    doors = {"run", "demo", "ask", "resume", "doctor", "tools", "env", "backup", "restore", "audit"}
    assert named and named <= doors
    for door in named - {"ask", "resume", "restore", "audit"}:
        assert parser().parse_args([door]).door == door


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8"))) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_exists(page: Path) -> None:
    ours = re.compile(
        r"`((?:TELEGRAM|ANTHROPIC|BUDGET|DOCKER|MODEL|DIGEST|ALERT|AUTONOMY|FORBIDDEN|PROTECTED)_[A-Z_]+)"
    )
    assert set(ours.findall(page.read_text(encoding="utf-8"))) <= settings_names()


def test_every_slash_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"`/([a-z]+)`", README)) - {"newbot"}  # that one is BotFather's
    assert named and named <= set(COMMANDS)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200
