"""The fault matrix F01–F59: every row that applies, and why the others do not yet."""

from tests.prove import faults, kills, storage
from tests.prove.rows import ROWS as LISTED

assert all((faults, kills, storage)), "importing them enters their rows"
ROWS = dict(sorted(LISTED.items()))

LATER = {
    "F31": "no tool runs a subprocess yet: part 3",
    "F33": "the bot cannot reboot a host yet: part 3 (Proxmox)",
    "F53": "schedules run no changes yet: part 7",
    "F54": "there are no webhooks yet: part 7 (Alertmanager)",
    "F55": "there are no webhooks yet: part 7 (Alertmanager)",
}
