"""The plugin that turns a broken promise of CI into a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MARKED = """
import pytest

@pytest.mark.{mark}
def test_it():
    {body}
"""
WHOLE_MODULE = "import pytest\npytest.skip('nothing here', allow_module_level=True)\n"


def outcome(folder: Path, source: str, *, ci: bool, workers: int = 0) -> tuple[int, str]:
    (folder / "test_sample.py").write_text(source)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "RACKHAND_CI": "1" if ci else ""}
    # Options of the run we are part of are not for the sample.
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        environ.pop(name, None)
    options = ["-q", "-p", "tests.strict_skips", "-p", "no:cacheprovider", "-n", str(workers), "--rootdir", "."]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options], cwd=folder, env=environ, capture_output=True, text=True
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("mark", ["engine", "browser"])
def test_a_skip_fails_where_it_was_promised(tmp_path: Path, mark: str) -> None:
    code, said = outcome(tmp_path, MARKED.format(mark=mark, body="pytest.skip('no such thing')"), ci=True)
    assert (code, "must run in CI, but was skipped: Skipped: no such thing" in said) == (1, True), said


def test_a_skip_in_a_worker_fails_too(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, MARKED.format(mark="engine", body="pytest.skip('gone')"), ci=True, workers=1)
    assert (code, "1 failed" in said) == (1, True), said


def test_a_condition_that_skips_fails_too(tmp_path: Path) -> None:
    marks = "import pytest\npytestmark = [pytest.mark.engine, pytest.mark.skipif(True, reason='unset')]\n"
    code, said = outcome(tmp_path, marks + "def test_it():\n    pass\n", ci=True)
    assert (code, "must run in CI, but was skipped: Skipped: unset" in said) == (1, True), said


def test_elsewhere_a_skip_is_a_skip(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, MARKED.format(mark="engine", body="pytest.skip('no such thing')"), ci=False)
    assert (code, "1 skipped" in said) == (0, True), said


@pytest.mark.parametrize(
    ("mark", "body", "word"),
    [
        ("slow", "pytest.skip('later')", "1 skipped"),
        ("engine", "pytest.xfail('known')", "1 xfailed"),
        ("engine", "pass", "1 passed"),
    ],
)
def test_everything_else_stays_as_it_is(tmp_path: Path, mark: str, body: str, word: str) -> None:
    code, said = outcome(tmp_path, MARKED.format(mark=mark, body=body), ci=True)
    assert (code, word in said) == (0, True), said


def test_a_module_that_skips_itself_fails(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, WHOLE_MODULE, ci=True)
    assert (code != 0, "must be collected in CI" in said) == (True, True), said
