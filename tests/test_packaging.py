"""What surrounds the code: the Makefile, CI's script and the systemd unit."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = ("venv", "demo", "test", "lint", "env", "bench", "screenshots")
EXPOSED = {"RootDirectory", "RestrictAddressFamilies", "PrivateNetwork", "DeviceAllow", "IPAddressDeny"}
"""What the unit leaves open on purpose: it reads its checkout, and talks to the network and to local sockets."""
EXPOSED_WITH_DOCKER = EXPOSED | {"PrivateUsers", "SupplementaryGroups"}


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # The variables of a `make` that we run under would change what this one says.
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "ARGS")}
    return subprocess.run(["make", *arguments], cwd=folder, env=environ, capture_output=True, text=True)


def test_make_alone_lists_every_target() -> None:
    ended = make()
    listed = re.findall(r"^  make (\w+)", ended.stdout, re.MULTILINE)
    assert ended.returncode == 0, ended.stderr
    assert set(TARGETS) <= set(listed)
    assert set(listed) == set(re.findall(r"\w+", re.findall(r"^\.PHONY: (.*)$", makefile(), re.MULTILINE)[0]))


def makefile() -> str:
    return (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_can_be_planned(target: str) -> None:
    ended = make("--dry-run", target)
    assert ended.returncode == 0, ended.stderr


def test_every_program_of_the_makefile_exists() -> None:
    for module in re.findall(r"-m (tests\.\w+)", makefile()):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ("exit 1", "needs Python 3.11 or newer"),
        ('case "$2" in *ensurepip*) exit 1 ;; esac', "has no venv module"),
    ],
    ids=["too old", "without venv"],
)
def test_a_python_that_will_not_do_gets_one_line(tmp_path: Path, answer: str, advice: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.lock").touch()
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{answer}\n")
    python.chmod(0o755)
    ended = make("venv", f"PYTHON={python}", folder=tmp_path)
    assert ended.returncode != 0
    assert advice in ended.stderr
    assert len((ended.stdout + ended.stderr).splitlines()) == 1
    assert not (tmp_path / ".venv").exists()


def test_ci_scripts_are_programs_bash_can_read() -> None:
    for script in (ROOT / ".ci/run", ROOT / ".ci/engine"):
        assert os.access(script, os.X_OK), script
        assert subprocess.run(["bash", "-n", script], capture_output=True).returncode == 0, script


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy of the unit that this machine can judge: the program it starts need not be installed here."""
    if shutil.which("systemd-analyze") is None or os.geteuid() != 0:
        if os.environ.get("RACKHAND_CI") == "1":
            pytest.fail("CI must have systemd-analyze and be root")
        pytest.skip("needs systemd-analyze and root")
    text = (ROOT / "systemd/rackhand.service").read_text()
    text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE)
    text = re.sub(r"^WorkingDirectory=.*$", "WorkingDirectory=/", text, flags=re.MULTILINE)
    path = tmp_path / "rackhand.service"
    path.write_text(text)
    return path


def with_docker(unit: Path) -> None:
    folder = unit.with_name("rackhand.service.d")
    folder.mkdir()
    shutil.copy(ROOT / "systemd/docker-group.conf", folder)


def judge(unit: Path) -> tuple[int, set[str]]:
    """The exit code under a threshold of 1.5, and what is left open."""
    ended = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit],
        capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return ended.returncode, set(re.findall(r"^✗ (\w+)=", ended.stdout, re.MULTILINE))


@pytest.mark.parametrize("docker", [False, True], ids=["as shipped", "docker group"])
def test_systemd_understands_every_line_of_the_unit(unit: Path, docker: bool) -> None:
    if docker:
        with_docker(unit)
    ended = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    # An unknown key is only a remark to systemd: silence is the test.
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_the_unit_is_closed_but_for_what_it_needs(unit: Path) -> None:
    assert judge(unit) == (0, EXPOSED)


def test_the_docker_group_opens_no_more_than_it_says(unit: Path) -> None:
    with_docker(unit)
    assert judge(unit) == (0, EXPOSED_WITH_DOCKER)


def test_a_weaker_unit_is_refused(unit: Path) -> None:
    unit.write_text(re.sub(r"^SystemCallFilter=.*$", "", unit.read_text(), flags=re.MULTILINE))
    assert judge(unit)[0] != 0


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "WatchdogSec=60",
        "RestartPreventExitStatus=78",
        "ExecStart=/opt/rackhand/.venv/bin/python main.py run",
        "WorkingDirectory=/opt/rackhand",
        "StateDirectory=rackhand",
        "Environment=DATA_DIR=%S/rackhand",
    ],
)
def test_the_unit_says_what_the_program_relies_on(line: str) -> None:
    assert line in (ROOT / "systemd/rackhand.service").read_text().splitlines()


def test_the_program_answers_systemd() -> None:
    # Type=notify with a watchdog: a program that never says so is killed.
    speakers = [path for folder in ("bot", "main.py") for path in _python(ROOT / folder) if "NOTIFY_SOCKET" in path]
    assert speakers


def _python(path: Path) -> list[str]:
    return [file.read_text() for file in ([path] if path.is_file() else path.rglob("*.py"))]
