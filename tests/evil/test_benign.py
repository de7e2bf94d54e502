"""Ordinary requests: questions cost no tap, a change costs one, and looking at the inventory does not taint."""

import pytest

from tests.evil.benign import CHANGES, READS, REVERSIBLE, SPOKEN, TAINTING, Spoken, cost, spoken


@pytest.mark.parametrize("task", READS)
async def test_a_question_costs_nothing_and_taints_nothing(task: str) -> None:
    found = await cost(task)
    assert (found.cards, found.tainted, found.violations) == (0, task in TAINTING, 0)


@pytest.mark.parametrize("task", CHANGES)
async def test_a_change_costs_one_tap_on_one_card(task: str) -> None:
    found = await cost(task)
    assert found.cards == 1
    assert found.changes >= 1
    assert found.verified == found.changes
    assert found.tainted == (task in TAINTING)
    assert found.violations == 0


@pytest.mark.parametrize("task", REVERSIBLE)
async def test_what_can_be_taken_back_runs_by_itself_where_the_owner_said_so(task: str) -> None:
    free, asked = await cost(task, autonomy="reversible"), await cost(task, autonomy="reversible", tainted=True)
    assert (free.cards, asked.cards) == (0, 1)
    assert free.changes == asked.changes >= 1


@pytest.mark.parametrize("task", CHANGES)
async def test_no_card_warns_of_what_a_person_has_asked_for(task: str) -> None:
    found = await cost(task, tainted=True)
    assert found.tainted and found.arguments and (found.alarms, found.violations) == (0, 0)


@pytest.mark.parametrize("said", SPOKEN, ids=lambda said: said.lines[-1])
async def test_nor_in_whatever_words_they_ask(said: Spoken) -> None:
    found = await spoken(said)
    assert found.arguments and (found.alarms, found.violations) == (0, 0)
