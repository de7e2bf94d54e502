"""Run the lab: `python -m lab [--port 8080] [--seed 1] [--directory DIR] [-- COMMAND…]`."""

import argparse
import asyncio
import errno
import json
import os
import signal
import sys
from pathlib import Path

from lab.lab import Lab
from lab.supervisor import Supervisor

PORTS_TRIED = 50
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """The exit status: 0 after a signal, 1 when nothing could be started."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="of the chat page; taken: the next free one")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another story")
    parser.add_argument("--directory", type=Path, help="where data and log stay; default: temporary")
    own, command = _split(sys.argv[1:])
    options = parser.parse_args(own)
    return asyncio.run(run(options.port, options.seed, options.directory, command))


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and the command behind `--`."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


async def run(port: int, seed: int, directory: Path | None, command: list[str]) -> int:
    """Run the lab, and the command in it, until a signal comes."""
    ended = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    lab = await _open(port, seed, directory)
    if lab is None:
        print(f"No free port from {port} on; choose another with --port.", file=sys.stderr)
        return 1
    try:
        if not command:
            print(json.dumps({**lab.environment(), "LAB_URL": lab.page_url}), flush=True)
            await ended.wait()
            return 0
        return await _supervise(lab, command, ended)
    finally:
        await lab.__aexit__(None, None, None)


async def _open(port: int, seed: int, directory: Path | None) -> Lab | None:
    """A running lab on the first free port, or None."""
    real_claude = _has_real_claude()
    for candidate in range(port, port + PORTS_TRIED):
        lab = Lab(seed, candidate, directory, flood=True, real_claude=real_claude)
        try:
            await lab.__aenter__()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        if candidate not in (port, 0):
            print(f"Port {port} is taken; using {candidate}.", file=sys.stderr)
        return lab
    return None


def _has_real_claude() -> bool:
    """Whether the bot will find a key of its own in the environment, for Claude's usual address."""
    key = os.environ.get("ANTHROPIC_API_KEY", "")
    return bool(key) and not key.startswith("sk-ant-lab-") and not os.environ.get("ANTHROPIC_BASE_URL")


async def _supervise(lab: Lab, command: list[str], ended: asyncio.Event) -> int:
    try:
        supervisor = await lab.supervise(command)
    except OSError as error:
        print(f"Can't start {command[0]}: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"Rackhand's simulated homelab: {lab.page_url}  (Ctrl-C ends it)", flush=True)
    telling = asyncio.create_task(_tell_failure(supervisor))
    await ended.wait()
    telling.cancel()
    return 0


async def _tell_failure(supervisor: Supervisor) -> None:
    await supervisor.gave_up.wait()
    print("The bot refuses its configuration:", *supervisor.last_lines(), sep="\n  ", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
