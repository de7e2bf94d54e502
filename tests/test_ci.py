"""What CI says of itself, and what it chooses of a long list."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import changed

PROGRAMS = {
    "checkout/.ci/engine": 'if [ $1 = start ]; then mkdir "$2"; else rm -r "$2"; fi',
    "dpkg-query": "echo installed",
    "make": 'echo "makes $1"; if [ "$1" = "$RACKHAND_BROKEN" ]; then exit 2; fi',
}
Ci = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def ci(tmp_path: Path) -> Ci:
    """Runs CI among programs that do nothing: its exit status, and what it says."""
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    script = (changed.ROOT / ".ci/run").read_text()
    for name, lines in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{lines}\n")
        (tmp_path / name).chmod(0o755)

    def run(broken: str = "", minutes: int = 40, **variables: str) -> tuple[int, list[str]]:
        (checkout / ".ci/run").write_text(script.replace("most_minutes=43", f"most_minutes={minutes}"))
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path), "RACKHAND_BROKEN": broken}
        ended = subprocess.run(["bash", ".ci/run"], cwd=checkout, env=env | variables, capture_output=True, text=True)
        assert not list(tmp_path.glob("rackhand-engines*")), "an engine was left running"
        return ended.returncode, ended.stdout.splitlines()

    return run


def test_ci_tells_what_each_stage_took(ci: Ci) -> None:
    code, said = ci()
    stages = ["packages", "engines", "lint", "mutants", "prove", "tests", "in all, of 2400"]
    assert (code, [line.partition(" s  ")[2] for line in said[-7:]]) == (0, stages)


def test_ci_tells_it_of_a_stage_that_fails_too(ci: Ci) -> None:
    code, said = ci(broken="mutants")
    assert (code, said[-2].split()[2:], "makes prove" in said) == (2, ["mutants"], False)


def test_ci_fails_when_it_takes_too_long(ci: Ci) -> None:
    assert ci(minutes=0)[0] == 1


def test_ci_says_whether_there_are_descriptions(ci: Ci, tmp_path: Path) -> None:
    assert any("no service descriptions in ../shared/specs" in line for line in ci()[1])
    assert any(f"descriptions are in {tmp_path}" in line for line in ci(SPECS_DIR=str(tmp_path))[1])


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Git in a checkout with one commit, which is what the choice is made for."""
    monkeypatch.setattr(changed, "ROOT", tmp_path)

    def git(*words: str) -> None:
        own = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *own, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "main")
    git("commit", "--allow-empty", "-m", "first")
    return git


def commit(git: Callable[..., None], name: str) -> None:
    Path(name).touch()
    git("add", name)
    git("commit", "-m", name)


def test_where_nothing_has_landed_everything_counts(git: Callable[..., None]) -> None:
    assert changed.changed() is None


def test_a_change_is_all_that_has_not_landed(git: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    commit(git, "old.py")
    git("checkout", "-b", "branch")
    commit(git, "first.py")
    commit(git, "second.py")
    Path("new.py").touch()
    assert changed.changed() == {"second.py", "new.py"}
    git("branch", "--set-upstream-to", "main")
    assert changed.changed() == {"first.py", "second.py", "new.py"}
    git("checkout", "main")
    git("merge", "--no-ff", "branch")
    assert changed.changed() == {"first.py", "second.py", "new.py"}


def test_a_commit_always_chooses_the_same(git: Callable[..., None]) -> None:
    items = list(range(1000))
    found = changed.chosen(items, [7], 20)
    assert (len(found), 7 in found, found == sorted(found)) == (21, True, True)
    assert changed.chosen(items, [7], 20) == found
    commit(git, "another.py")
    assert changed.chosen(items, [7], 20) != found
