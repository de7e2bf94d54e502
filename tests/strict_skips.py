"""A pytest plugin: where CI has promised an engine and a browser, a test that skips for want of one has failed."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

PROMISED = frozenset({"engine", "browser"})
SPECS = Path(os.environ.get("SPECS_DIR") or Path(__file__).parents[2] / "shared" / "specs")


def _promised() -> bool:
    return os.environ.get("RACKHAND_CI") == "1"


def _marks() -> frozenset[str]:
    """The markers whose tests may not skip; the services' descriptions are not everywhere where CI runs."""
    return PROMISED | ({"specs"} if SPECS.is_dir() else set())


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test of a promised kind is reported as failed."""
    report = yield
    expected_failure = hasattr(report, "wasxfail")
    if _promised() and report.skipped and not expected_failure and _marks() & {m.name for m in item.iter_markers()}:
        report.outcome, report.longrepr = "failed", f"must run in CI, but was skipped: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module skipped as a whole is reported as failed: nobody can see what it would have run."""
    report = yield
    if _promised() and report.outcome == "skipped":
        report.outcome, report.longrepr = "failed", f"must be collected in CI, but was skipped: {_reason(report)}"
    return report
