"""A handful of the proof; all of it is `make prove`."""

import asyncio
import re
import sys

from tests.prove.nursery import ROOT


async def test_a_handful_of_kills_and_faults_violates_nothing() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.prove", "--few", "--jobs", "2",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        out = (await asyncio.wait_for(process.communicate(), 300))[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, out
    assert int(re.search(r"^runs +(\d+)$", out, re.M)[1]) > 15, out  # type: ignore[index]
    assert re.search(r"^violations +0$", out, re.M), out
