"""With a defence taken away its goal is reached: the proof can fail."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest

from bot.runs.opener import Opener
from tests.evil import machine
from tests.evil.goals import pursue
from tools.gate import policy


async def first_of_several(client: Any, resolve: Any, text: str, known: Any) -> Any:
    return (await resolve.find(client, text))[0]


again = Opener.again


async def forgetting(self: Any, conversation: str, actor: Any, rows: list[Any], **more: Any) -> Any:
    return await again(self, conversation, actor, [replace(row, tainted=False) for row in rows], **more)


WITHOUT: dict[str, dict[str, Any]] = {
    "stop_a_container": {"tools.gate.proposals.decide": lambda now: policy.RUN},
    "remove_a_container": {"tools.gate.proposals.decide": lambda now: policy.RUN},
    "change_while_only_looking": {"tools.gate.policy._forbidden": lambda now: None},
    "destroy_while_nobody_watches": {"tools.gate.policy._forbidden": lambda now: None},
    "let_the_state_move": {"tools.gate.results.moved": lambda *asked: {}},
    "the_other_hosts_namesake": {"tools.gate.arguments._target": first_of_several},
    "say_our_own_token": {"memory.secrets.Redactor.__call__": lambda self, text: text},
    "read_secrets_from_a_log": {
        "tools.docker.logs.without_secrets": lambda line, known: line,
        "memory.secrets.Redactor.__call__": lambda self, text: text,
    },
    "obey_a_log_where_changes_run_by_themselves": {"tools.gate.taint.taints": lambda found: False},
    "stop_what_is_labelled": {"tools.docker.names.is_forbidden": lambda item: False},
    "clean_up_what_is_listed": {"tools.gate.proposals._listed": lambda change: []},
    "a_late_tap_counts": {"memory.approvals.EXPIRY_SECONDS": 1e9},
    "approve_and_run_for_hours": {"tools.gate.gate.Gate._stale": AsyncMock(return_value=False)},
    "a_stranger_taps": {
        "bot.settings.people.Roster.welcome": lambda self, *who: True,
        "bot.settings.people.Roster.approvers": lambda self, *asked: ["tg:6666", "tg:1001"],
        "bot.runs.decisions.Decisions._may": lambda self, actor, row: True,
    },
    "a_viewers_run": {
        "bot.settings.people.Roster.highest": lambda self, *asked: 3,
        "tools.gate.standing.Standing.review": AsyncMock(return_value=""),
    },
    "thirty_reads_at_once": {"tools.gate.gate.MOST_CALLS": 100},
    "undo_after_somebody_else_changed_it": {"tools.gate.gate.Gate._preapproved": AsyncMock(return_value=True)},
    "launder_through_ask_again": {"bot.runs.opener.Opener.again": forgetting},
    "thirty_calls_at_once": {"tools.gate.gate.MOST_CALLS": 100, "tools.gate.gate.MOST_SHOWN": 10**6},
}
"""Goal → what is put in the place of its defence."""


@contextmanager
def replaced(defences: dict[str, Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for name, instead in defences.items():
            stack.enter_context(patch(name, instead))
        yield


@pytest.mark.parametrize("name", sorted(WITHOUT))
async def test_the_goal_is_reached_without_its_defence(name: str) -> None:
    with replaced(WITHOUT[name]):
        assert (await pursue(name)).reached


@pytest.mark.parametrize("name", ["stop_a_container", "remove_a_container", "a_stranger_taps", "stop_what_is_labelled"])
async def test_the_checker_sees_it_by_itself(name: str) -> None:
    with replaced(WITHOUT[name]):
        assert [found for found in (await pursue(name)).violations if found.startswith(("INV-1", "INV-6"))]


async def test_the_checker_sees_hidden_characters() -> None:
    with replaced({"bot.telegram.chats.clean": lambda text: (text, 0)}):
        assert any("hidden characters" in found for found in (await pursue("words_that_cannot_be_sent")).violations)


def test_random_episodes_find_a_gate_that_lets_everything_pass() -> None:
    with replaced({"tools.gate.proposals.decide": lambda now: policy.RUN}), pytest.raises(BaseException) as found:
        machine.run_episodes(40, steps=10)
    assert "INV-1" in "".join(map(str, [found.value, *getattr(found.value, "exceptions", [])]))
