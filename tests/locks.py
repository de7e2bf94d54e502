"""The lock files against pyproject.toml and each other, offline: `python -m tests.locks`."""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)")
HASHED = re.compile(r"--hash=sha256:[0-9a-f]{64}")
ADDRESS = re.compile(r"://|@ |^\s*-(?!-hash=)", re.MULTILINE)
"""A URL, a direct reference, or an option other than --hash."""

Pins = dict[str, set[str]]
"""Versions by name: one, unless they differ between Pythons."""


def read(text: str, name: str) -> tuple[Pins, list[str]]:
    """What a lock file pins, and what is wrong with its lines."""
    pins: Pins = {}
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    problems = [f"{name}: {found.group().strip()!r} does not belong in it" for found in ADDRESS.finditer(lines)]
    for line in filter(None, (entry.strip() for entry in lines.replace("\\\n", " ").splitlines())):
        pinned = PINNED.match(line)
        if pinned is None or not HASHED.search(line):
            problems.append(f"{name}: not pinned with a hash: {line[:60]}")
        else:
            pins.setdefault(canonicalize_name(pinned["name"]), set()).add(pinned["version"])
    return pins, problems


def missing(wanted: list[str], pins: Pins, name: str) -> list[str]:
    """Requirements that a lock file does not fulfil."""
    problems = []
    for requirement in map(Requirement, wanted):
        versions = pins.get(canonicalize_name(requirement.name), set())
        if not versions or not all(requirement.specifier.contains(version) for version in versions):
            problems.append(f"{name}: {requirement.name}{requirement.specifier} is not in it; lock again")
    return problems


def problems(root: Path = ROOT) -> list[str]:
    """Everything wrong with the lock files, a line each."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    runtime, found = read((root / "requirements.lock").read_text(), "requirements.lock")
    dev, more = read((root / "requirements-dev.lock").read_text(), "requirements-dev.lock")
    uv, most = read((root / "requirements-uv.lock").read_text(), "requirements-uv.lock")
    groups = project["dependency-groups"]
    found += more + most + missing(groups["install"], uv, "requirements-uv.lock")
    found += missing(project["project"]["dependencies"], runtime, "requirements.lock")
    found += missing(groups["dev"], dev, "requirements-dev.lock")
    apart = sorted(name for name in runtime if dev.get(name) != runtime[name])
    return found + [f"requirements-dev.lock: {name} differs from requirements.lock" for name in apart]


if __name__ == "__main__":
    sys.exit("\n".join(problems()) or None)
