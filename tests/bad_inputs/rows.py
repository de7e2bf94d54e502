"""The matrix itself: rows that are exercised register here; the others are exercised elsewhere, or wait for a part."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live import Live
from tests.place import Place


@dataclass(frozen=True)
class Bench:
    """What a row is exercised with."""

    folder: Path
    patch: pytest.MonkeyPatch
    log: list[str]
    stack: AsyncExitStack

    async def place(self, **options: Any) -> Place:
        """A core over a lab; closed with the test."""
        return await self.stack.enter_async_context(Place(self.folder / "place", **options))

    async def live(self, **options: Any) -> Live:
        """The whole bot in a lab; closed with the test."""
        return await self.stack.enter_async_context(Live(self.folder / "live", **options))


Check = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """One line of the matrix."""

    id: str
    given: str
    expected: str
    check: Check


ROWS: list[Row] = []


def row(ident: str, given: str, expected: str) -> Callable[[Check], Check]:
    """Register the function that exercises a row; one id may have several."""

    def register(check: Check) -> Check:
        ROWS.append(Row(ident, given, expected, check))
        return check

    return register


CLAUDE, REPLY = "tests/bot/agent/test_claude.py", "tests/bot/agent/test_reply.py"
SETTINGS, TLS = "tests/bot/settings/test_settings.py", "tests/tools/kit/test_tls.py"
PEOPLE = "tests/evil/goals/people.py"
FAULTS, STORAGE = "tests/prove/faults.py", "tests/prove/storage.py"
ELSEWHERE: dict[str, str] = {
    "B05": "tests/evil/goals/swaps.py::a_look_alike_name",
    "B17": f"{REPLY}::test_arguments_that_are_not_whole_or_say_two_things_are_no_call",
    "B22": "tests/tools/gate/test_gate.py::test_an_ambiguous_name_asks_which_one",
    "B29": f"{FAULTS}::f27",
    "B31": f"{TLS}::test_a_ca_file_forgives_nothing",
    "B32": f"{TLS}::test_another_certificate_than_the_pinned_one_is_refused_and_both_are_named",
    "B36": "tests/tools/kit/test_transport.py::test_a_redirect_is_not_followed",
    "B40": f"{FAULTS}::f47",
    "B48": f"{STORAGE}::f35",
    "B49": f"{STORAGE}::f37",
    "B50": "tests/memory/test_database.py::test_a_page_of_rubbish_is_noticed",
    "B53": "tests/memory/test_migrations.py::test_a_newer_database_is_left_alone",
    "B54": f"{FAULTS}::f42",
    "B55": "tests/bot/telegram/test_poller.py::test_a_webhook_is_no_second_program",
    "B56": f"{FAULTS}::f56",
    "B63": f"{PEOPLE}::words_approve",
    "B64": f"{PEOPLE}::a_key_is_forged",
    "B81": f"{REPLY}::test_an_empty_ending_is_an_ending_and_is_paid_once",
    "B82": f"{CLAUDE}::test_what_cannot_get_better_is_explained_at_once",
    "B83": f"{CLAUDE}::test_an_ending_that_will_not_change_is_told",
    "B84": f"{SETTINGS}::test_every_problem_is_named_at_once_without_its_value",
    "B85": f"{SETTINGS}::test_secrets_are_known_and_not_shown",
    "B88": "tests/tools/gate/test_rules.py::test_five_cards_are_the_most_for_a_persons_own_button_too",
}
"""Rows that another suite exercises, by the first of its tests about them."""
ALERTS = "part 7: alerts and webhooks"
SCHEDULES = "part 7: schedules that people make; so far there is one, the daily digest, and it only reads"
LATER: dict[str, str] = {
    **dict.fromkeys(("B43", "B44", "B46"), SCHEDULES),
    **dict.fromkeys(("B65", "B66", "B67", "B68", "B69", "B70", "B71", "B72", "B73"), ALERTS),
    "B78": "part 3: Proxmox",
    "B80": "part 4: Cloudflare and Pi-hole records",
}
"""Rows that nothing built so far can be given, with the part that brings it."""
