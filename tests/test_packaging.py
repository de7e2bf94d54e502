"""What surrounds the code: the Makefile, CI's script and the systemd unit."""

import hashlib
import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = ("venv", "demo", "test", "lint", "env", "bench", "figures", "screenshots")
EXPOSED = {"RootDirectory", "RestrictAddressFamilies", "PrivateNetwork", "DeviceAllow", "IPAddressDeny"}
"""What the unit leaves open on purpose: it reads its checkout, and talks to the network and to local sockets."""
EXPOSED_WITH_DOCKER = EXPOSED | {"PrivateUsers", "SupplementaryGroups"}


def make(*arguments: str, folder: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
    # The variables of a `make` that we run under would change what this one says.
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "ARGS")}
    environ |= more
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


# -- installing ----------------------------------------------------------------------------------------------------

FAKE_UV = """#!/bin/sh
here="$(dirname "$0")/../.."
{ echo "$@"; env; } > "$here/asked"
printf ' + tiny==1.0\\nInstalled 1 package\\n' >&2
exit "$(cat "$here/uv says")"
"""


def a_package(folder: Path, name: str, script: str = "") -> str:
    """A wheel in this folder; the line of a lock file that pins it."""
    info = f"{name}-1.0.dist-info"
    files = {f"{name}-1.0.data/scripts/{name}" if script else f"{name}.py": script}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            member = zipfile.ZipInfo(path)
            member.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(member, text)
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@dataclass
class Clone:
    """A checkout whose packages are two tiny ones, in a folder with a space in its name."""

    folder: Path
    index: Path

    def venv(self, **more: str) -> str:
        """What `make` says while it installs."""
        python = self.folder / "a python"
        if not python.exists():
            python.symlink_to(sys._base_executable)  # type: ignore[attr-defined]
        mirror = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index)}
        ended = make(".venv/.run", f"PYTHON={python}", folder=self.folder, **{**mirror, **more})
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def has_tiny(self) -> bool:
        found = subprocess.run([self.folder / ".venv/bin/python", "-c", "import tiny"], capture_output=True)
        return found.returncode == 0


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path / "a clone", tmp_path / "index")
    clone.index.mkdir()
    (clone.folder / ".ci").mkdir(parents=True)
    for name in ("Makefile", ".ci/packages.py"):
        shutil.copy(ROOT / name, clone.folder / name)
    (clone.folder / "requirements.lock").write_text(a_package(clone.index, "tiny"))
    (clone.folder / "requirements-uv.lock").write_text(a_package(clone.index, "uv", FAKE_UV))
    (clone.folder / "uv says").write_text("0")
    return clone


def test_uv_installs_the_lock_file_from_where_pip_would_and_pip_where_uv_cannot(clone: Clone) -> None:
    said = clone.venv()
    command, *environ = (clone.folder / "asked").read_text().splitlines()
    assert command.startswith("pip install") and "--no-index --require-hashes -r requirements.lock" in command
    assert f"UV_FIND_LINKS={clone.index}" in environ
    assert "with uv" in said and "Installed 1 package" in said and "+ tiny" not in said and not clone.has_tiny()
    assert "up to date" in clone.venv(), "once is enough"
    (clone.folder / "uv says").write_text("2")
    (clone.folder / ".venv/.run").unlink()
    assert "with pip" in clone.venv() and clone.has_tiny(), "uv had failed"
    for interrupted in (False, True):
        (clone.folder / ".venv/.run").unlink()
        (clone.folder / "uv says").write_text("0")
        if interrupted:
            (clone.folder / ".venv/.unfinished").touch()
        clone.venv()
        assert (" --reinstall " in (clone.folder / "asked").read_text()) == interrupted, "half a package may be there"


def test_only_what_the_lock_files_name_is_installed_and_an_interrupted_attempt_is_made_good(clone: Clone) -> None:
    kept = [clone.index / f"{name}-1.0-py3-none-any.whl" for name in ("tiny", "uv")]
    good = [wheel.read_bytes() for wheel in kept]
    a_package(clone.index, "tiny", "#!python\n")
    a_package(clone.index, "uv", "#!python\n")
    with pytest.raises(AssertionError, match="DO NOT MATCH"):
        clone.venv()
    assert not (clone.folder / "asked").exists() and not clone.has_tiny()
    for wheel, content in zip(kept, good, strict=True):
        wheel.write_bytes(content)
    shutil.rmtree(next(clone.folder.glob(".venv/lib/*/site-packages/pip")))
    kept[1].unlink()  # nor is there a uv for this machine
    assert "with pip" in clone.venv() and clone.has_tiny()


GIVEN = {
    "index-url": "http://127.0.0.1:1/simple", "extra-index-url": "http://127.0.0.1:2 http://127.0.0.1:3",
    "find-links": "/a /b", "trusted-host": "nas mini", "cert": "/ca.pem", "proxy": "http://127.0.0.1:4", "timeout": "7",
}  # fmt: skip
SAID = {
    "UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "UV_INDEX": "http://127.0.0.1:2 http://127.0.0.1:3",
    "UV_FIND_LINKS": "/a,/b", "UV_INSECURE_HOST": "nas mini", "SSL_CERT_FILE": "/ca.pem",
    "ALL_PROXY": "http://127.0.0.1:4", "UV_HTTP_TIMEOUT": "7",
}  # fmt: skip


@pytest.mark.parametrize("told", ["file", "variable"])
def test_every_place_that_pip_knows_is_passed_on(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "REQUESTS_"))]:
        monkeypatch.delenv(name)
    lines = ["[global]", "index-url = http://127.0.0.1:9", "[install]"]
    if told == "file":
        lines += [f"{option} = {value}" for option, value in GIVEN.items()]
    for option, value in GIVEN.items() if told == "variable" else ():
        monkeypatch.setenv(f"PIP_{option.replace('-', '_').upper()}", value)
    (tmp_path / "pip.conf").write_text("\n".join(lines))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("HOME", str(tmp_path))
    packages = runpy.run_path(str(ROOT / ".ci/packages.py"))
    assert packages["uvs_environment"](packages["pips_settings"]()).items() >= SAID.items()


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


def test_the_unit_says_what_the_program_relies_on() -> None:
    said = {"Type=notify", "WatchdogSec=60", "RestartPreventExitStatus=78", "Environment=DATA_DIR=%S/rackhand"}
    assert said <= {*(ROOT / "systemd/rackhand.service").read_text().splitlines()}
