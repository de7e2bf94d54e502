"""The documents are true: every command, setting, tool, file and make target that they name exists."""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot.menus.declared import menu_of
from bot.settings.settings import Settings
from bot.terminal.catalogue import describe, env_example, table
from main import parser
from tools.kit.registry import catalogue, discover

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NOT_SETTINGS = {"RACKHAND_TEST_ENGINE", "RACKHAND_TEST_PODMAN", "RACKHAND_CI", "RACKHAND_BROWSER", "SPECS_DIR"}
"""Environment variables of the tests."""
UNSAID = {"DOCKER_AUTH_CONFIG"}
"""What the docker command sets for us, and nobody writes into `.env`."""
README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings_names() -> set[str]:
    """Every environment variable that `main.py env` prints."""
    return set(re.findall(r"^#?([A-Z][A-Z_]+)=", env_example(Settings, discover()), re.MULTILINE))


def test_the_settings_example_is_current() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example(Settings, discover())


def test_the_tool_table_is_current() -> None:
    assert (ROOT / "docs" / "tools.md").read_text(encoding="utf-8").strip() == table(describe(discover())).strip()


def commands() -> list[str]:
    """Every `main.py …` of the documents, with its arguments."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    return sorted({found.strip() for found in re.findall(r"main\.py((?: [^`\s|]+| \"[^\"]+\")+)", text)})


def doors() -> set[str]:
    """What the command line itself offers."""
    [sub] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return set(sub.choices)


def test_every_door_is_in_the_readme() -> None:
    assert {command.partition(" ")[0] for command in commands()} >= doors()


@pytest.mark.parametrize("command", [c for c in commands() if c.split()[0] in doors()])
def test_every_documented_command_is_understood(command: str) -> None:
    assert parser().parse_args(shlex.split(command)).door == command.split()[0]


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
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)\b[^`(]*`", text)) | set(
        re.findall(r"^\s*([A-Z_]{5,})=", text, re.MULTILINE)
    )
    assert named - NOT_SETTINGS - UNSAID <= settings_names()


def test_every_slash_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"`/([a-z]+)`", README)) - {"newbot"}  # that one is BotFather's
    assert named and named <= set(menu_of(catalogue(discover())).commands)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_is_named_exists(page: Path) -> None:
    found = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text(encoding="utf-8"))
    for file, name in [pair for pair in found if pair[0] != "tests/tools/test_lamps.py"]:  # the reader's own
        assert (ROOT / file).is_file(), file
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8") if name else True, name


def test_the_service_that_the_docs_write_out_is_one(tmp_path: Path) -> None:
    """Its three files, put into a copy of the tree, pass what every service has to."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    page = (ROOT / "docs" / "adding-a-service.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", page, re.DOTALL))
    assert set(files) == {"tools/lamps.py", "lab/services/lamps.py", "tests/tools/test_lamps.py"}
    for name, text in files.items():
        (tree / name).write_text(text, encoding="utf-8")
    suites = ["tests/tools/test_lamps.py", "tests/test_budgets.py", "tests/tools/test_contract.py", "tests/generated"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "lamps", *suites]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
