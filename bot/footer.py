"""The line under an answer, written by code from the journal: what was read and what was changed."""

import re

from memory.models import CallState
from memory.runs import final_text
from memory.stores import Stores

CLAIM = re.compile(
    r"(?i)\b(?:re)?(?:started|stopped|booted|removed|deleted|created|updated|changed|fixed|pulled|pruned|blocked|"
    r"enabled|disabled|applied|done|completed)\b"
)


async def footer(stores: Stores, run: str) -> str:
    """`3 reads · 1 change ✓`, empty when no tool was called."""
    looked = await stores.held.of_run(run)
    rows = [row for row in await stores.journal.of_run(run) if row.id not in looked]
    calls, messages = 0, await stores.runs.messages(run)
    for message in messages:
        if message["role"] == "assistant":
            calls += sum(1 for block in message["content"] if block["type"] == "tool_use")
    if not calls:
        # An answer that claims a deed which the journal does not hold is put right here, by code.
        return "*nothing was changed*" if CLAIM.search(final_text(messages)) else ""
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
