"""What has changed since what has landed, and a sample that the commit chooses: what CI plays of a long list."""

import os
import random
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[1]
LANDED = ("@{upstream}", "origin/HEAD", "HEAD^")
"""Where to look for what has landed, best first; a merge's first parent is what it was merged into."""

T = TypeVar("T")


def changed() -> frozenset[str] | None:
    """Files that differ from the landed commit, the working tree's too; None when no such commit can be known."""
    head = _git("rev-parse", "HEAD")
    for name in filter(None, (os.environ.get("RACKHAND_LANDED"), *LANDED)):
        base = _git("merge-base", "HEAD", name)
        if base and base != head:
            new = _git("ls-files", "--others", "--exclude-standard")
            return frozenset(f"{_git('diff', '--name-only', base)}\n{new}".split("\n")) - {""}
    return None


def chosen(items: Sequence[T], touched: Iterable[T], sample: int) -> list[T]:
    """Those touched, and a sample of the others: the same for the same commit, in the order of all."""
    kept = list(touched)
    others = [item for item in items if item not in kept]
    kept += random.Random(_git("rev-parse", "HEAD")).sample(others, min(sample, len(others)))
    return [item for item in items if item in kept]


def _git(*words: str) -> str:
    """What git says, or nothing where it cannot tell."""
    ended = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return ended.stdout.strip() if ended.returncode == 0 else ""
