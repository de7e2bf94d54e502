"""The line under an answer, written by code from the journal: what was read and what was changed."""

from memory.models import CallState
from memory.stores import Stores


async def footer(stores: Stores, run: str) -> str:
    """`3 reads · 1 change ✓`, empty when no tool was called."""
    rows = await stores.journal.of_run(run)
    calls = 0
    for message in await stores.runs.messages(run):
        if message["role"] == "assistant":
            calls += sum(1 for block in message["content"] if block["type"] == "tool_use")
    if not calls:
        return ""
    reads = calls - len(rows)
    ran = [row for row in rows if row.state in (CallState.DONE, CallState.FAILED, CallState.UNKNOWN)]
    good = sum(1 for row in ran if row.state is CallState.DONE and row.verified)
    parts = [f"{reads} read{'' if reads == 1 else 's'}"] if reads else []
    if ran:
        mark = "✓" if good == len(ran) else f"{good} of {len(ran)} verified"
        parts.append(f"{len(ran)} change{'' if len(ran) == 1 else 's'} {mark}")
    else:
        parts.append("nothing was changed")
    return f"*{' · '.join(parts)}*"
