"""The environments of the peers: made once, outside ours, from the Python package index."""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".bench"
UV = Path(sys.executable).with_name("uv")
SECONDS = 300.0


class NotHere(Exception):
    """A peer cannot be had. `str()` says why."""


@dataclass(frozen=True)
class Peer:
    """Something that does the same task."""

    name: str
    says: str
    packages: tuple[str, ...]
    why: str

    def python(self) -> Path:
        """The interpreter that has its packages; made where there is none yet. Raises NotHere."""
        folder = ENVIRONMENTS / f"{self.name}-{hashlib.sha256(repr(self.packages).encode()).hexdigest()[:8]}"
        python, done = folder / "bin/python", folder / "complete"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            pip = (
                [str(UV), "pip", "install", "--python", str(python)]
                if UV.exists()
                else [str(python), "-m", "pip", "install"]
            )
            for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, "--quiet", *self.packages]):
                _run(command)
            done.touch()
        return python


def _run(command: list[str]) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise NotHere("its packages did not come in time") from None
    if ended.returncode:
        raise NotHere((ended.stderr.strip() or "its packages cannot be had").splitlines()[-1])


def peers() -> list[Peer]:
    """Those of `peers.toml`."""
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        found = tomllib.load(file)
    return [Peer(name, each["says"], tuple(each["packages"]), each["why"]) for name, each in found.items()]
