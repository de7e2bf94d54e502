"""`python -m tests.mutants [NAME…]`: remove each defence, one line of it, and see that the named test turns red.

Each process works in a copy of the tree of its own; the checkout itself is never touched.
"""

import argparse
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import pytest

import tests.conftest  # noqa: F401 - what the tests need of others is imported once, before anything forks
from tests.changed import ROOT, changed, chosen
from tests.mutants import MUTANTS, Mutant

OURS = frozenset({"bot", "lab", "main", "memory", "scheduler", "tests", "tools"})
SECONDS = 150.0
"""A test that takes longer hangs."""
FORK = get_context("fork")
TIMED_OUT = -1


def copy_tree(target: Path) -> None:
    """The tracked and new files."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


def end_with_parent() -> None:
    """Nothing is left behind when whoever has started it is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def tree_in(folder: Path) -> Path:
    """The copy of the process that asks."""
    tree = folder / str(os.getpid())
    if not tree.exists():
        copy_tree(tree)
    return tree


def green(folder: Path, test: str) -> str:
    """Nothing, or that this test is not green without any mutant."""
    code = run(tree_in(folder), test)
    return f"{test} is not green without any mutant (exit {code}): mend that first." if code else ""


def red(folder: Path, mutant: Mutant) -> str:
    """`killed`, or why it is not."""
    tree = tree_in(folder)
    file = tree / mutant.file
    whole, stat = file.read_text(encoding="utf-8"), file.stat()
    if whole.count(mutant.old) != 1:
        return f"stale: the line stands {whole.count(mutant.old)} times in {mutant.file}"
    file.write_text(whole.replace(mutant.old, mutant.new), encoding="utf-8")
    # Python knows its compiled files by second and size: each mutant has a second of its own.
    os.utime(file, (stat.st_atime, int(stat.st_mtime) - 1 - MUTANTS.index(mutant)))
    try:
        code = run(tree, mutant.test)
    finally:
        file.write_text(whole, encoding="utf-8")
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # Nobody would call a test green that hangs.
    return {0: "SURVIVED", 1: "killed", TIMED_OUT: "killed"}.get(code, f"pytest broke ({code})")


def run(tree: Path, test: str) -> int:
    """Pytest's exit code for a test of a tree: 0 green, 1 red."""
    child = FORK.Process(target=_pytest, args=(tree, test))
    child.start()
    child.join(SECONDS)
    if child.exitcode is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.join()
        return TIMED_OUT
    return child.exitcode


def _pytest(tree: Path, test: str) -> None:
    """In a process of its own: forget what is ours, and import it again from that tree."""
    os.setsid()
    end_with_parent()
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    sys.exit(pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", test]))


def selected(names: list[str], sample: int | None) -> list[Mutant]:
    """All; or those named; or those that the change touches, with a sample of the others."""
    if names:
        return [mutant for mutant in MUTANTS if any(name in mutant.name for name in names)]
    files = changed() if sample is not None else None
    if sample is None or files is None:
        return MUTANTS
    return chosen(MUTANTS, [m for m in MUTANTS if files & {m.file, m.test.partition("::")[0]}], sample)


def main() -> int:
    """Score them; exit status 1 when a defence could be removed unnoticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only mutants whose name contains one of these")
    parser.add_argument("--sample", type=int, help="only what the change touches, and so many of the others")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that share them")
    options = parser.parse_args()
    mutants, began, bad = selected(options.names, options.sample), time.monotonic(), 0
    tests = [*dict.fromkeys(mutant.test for mutant in mutants)]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(options.jobs, FORK, end_with_parent) as pool:
        for trouble in pool.map(green, repeat(Path(folder)), tests):
            if trouble:
                print(trouble)
                return 1
        for mutant, verdict in zip(mutants, pool.map(red, repeat(Path(folder)), mutants), strict=True):
            bad += verdict != "killed"
            print(f"{verdict:10} {mutant.name}  ({mutant.test})", flush=True)
    killed = len(mutants) - bad
    print(f"{killed} of {len(mutants)} mutants killed ({len(MUTANTS)} in all), {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
