"""Slash commands: answered without the model, offering nobody what they may not do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from bot.menus.commands import Commands
from bot.menus.declared import menu_of
from bot.menus.desk import Desk, Request
from bot.menus.menu import COMMANDS
from bot.runs.halt import PANIC
from bot.screen.digest import TelegramNotifier
from bot.screen.press import PAGE, Press
from bot.screen.view import Format, View
from bot.settings.people import console_actor
from memory.models import Actor
from memory.usage import Tokens
from scheduler.digests import Digests
from tests import rack
from tests.fakes import use
from tests.house import ADMIN, OPERATOR, STRANGER, VIEWER, House, plain
from tests.memory.rows import spend
from tools.kit import Glance
from tools.kit.registry import catalogue, discover


@dataclass
class Counter:
    """A house with its commands."""

    house: House
    commands: Commands
    update: int = 0

    async def send(self, line: str, who: Actor = ADMIN, where: str | None = None) -> View | None:
        name, _, rest = line.removeprefix("/").partition(" ")
        self.update += 1
        view = await self.commands.run(Request(self.update, who, where or who.id), name, rest)
        await self.house.settle()
        return view

    async def says(self, line: str, who: Actor = ADMIN) -> str:
        view = await self.send(line, who)
        return plain(view)


def a_counter(house: House) -> Counter:
    async def words(*_: Any) -> View:
        return View("All is well.")

    async def digest(asker: Actor) -> View:
        digests = Digests(core.stores, core.proposals, core.access, console_actor())
        return TelegramNotifier(core.stores.outbox, form).view((await digests.gather(asker))[0])

    core, form = house.core, Format(house.settings.zone)
    desk = Desk(
        core.stores, core.proposals, core.opener, core.runner, core.decisions, core.access, core.halt, core.budget,
        form, menu_of(core.tools, core.clients.configured), words, digest,
    )  # fmt: skip
    return Counter(house, Commands(desk))


@pytest.fixture
async def counter(house: House) -> AsyncIterator[Counter]:
    yield a_counter(house)
    assert house.model.asked == [] or all(asked.run.opened_by == "text" for asked in house.model.asked)


async def test_help_offers_what_this_person_may_use(counter: Counter) -> None:
    admin, viewer = await counter.says("/help"), await counter.says("/help", VIEWER)
    assert "/undo" in admin and "/audit" in admin and "/status" in viewer
    assert "/undo" not in viewer and "/audit" not in viewer


@pytest.mark.parametrize("name", [name for name, found in COMMANDS.items() if found.role > 1])
async def test_what_is_not_offered_is_not_done_either(counter: Counter, name: str) -> None:
    assert "needs an operator" in await counter.says(f"/{name}", VIEWER)


async def test_a_command_that_does_not_exist(counter: Counter) -> None:
    view = await counter.send("/frobnicate" + "x" * 99)
    assert view is not None and len(view.text) < 99
    assert [button.text for row in view.buttons for button in row] == ["/status", "/help"]


async def test_an_old_button_is_told_to_be_old(counter: Counter) -> None:
    view, toast = await counter.commands.page(Request(1, ADMIN, ADMIN.id), Press(PAGE, "gone", "1"))
    assert view is None and "too old" in toast


async def test_start_greets_by_role(counter: Counter) -> None:
    assert "Admin (admin)" in await counter.says("/start")
    assert "View (viewer)" in await counter.says("/start", VIEWER)


async def test_only_an_admin_stops_everything_and_lifts_it_again(counter: Counter) -> None:
    halt = counter.house.core.halt
    assert "needs an admin" in await counter.says("/stop all", OPERATOR)
    assert halt.everything is None
    await counter.house.ask(use("rack_switch_off", item="lamp"), who=OPERATOR)
    assert "1 card voided" in await counter.says("/stop all")
    assert halt.everything == PANIC
    assert "working again" not in await counter.says("/start", OPERATOR) and halt.everything == PANIC
    assert "working again" in await counter.says("/start") and halt.everything is None


async def test_stop_says_what_it_stopped(counter: Counter) -> None:
    assert "Nothing was running" in await counter.says("/stop")
    await counter.house.ask(use("rack_switch_off", item="lamp"))
    assert "1 request halted, 1 card voided" in await counter.says("/stop")


async def test_new_forgets_what_was_said_and_leaves_cards(counter: Counter) -> None:
    house = counter.house
    await house.ask(use("rack_read_label", item="lamp"))
    await house.ask(use("rack_switch_off", item="lamp"))
    house.clock.move(1)
    await counter.says("/new")
    house.clock.move(1)
    assert not (await house.run(await house.say("And now?"))).tainted
    await house.tap()
    assert house.rack.log == ["switch off lamp"]


async def test_pending_brings_open_cards_back_and_voids_the_old_message(counter: Counter) -> None:
    house = counter.house
    assert await counter.says("/pending") == "Nothing waits for you."
    card = await house.card(use("rack_switch_off", item="lamp"))
    old = await house.stores.approvals.card(card)
    assert old is not None and await counter.send("/pending") is None
    (kind, shown), (moved, text) = await house.deliver()
    assert (moved, kind) == ("view", "card") and shown["card"] == card
    assert "Switch lamp off" in text["text"] and "asked again below" in text["text"] and not text["buttons"]
    assert "newer message" in await house.tap(message=old.message)
    assert await house.tap() == "Approved."


async def test_pending_shows_nobody_else_their_cards(counter: Counter) -> None:
    await counter.house.ask(use("rack_switch_off", item="lamp"))
    assert await counter.says("/pending", OPERATOR) == "Nothing waits for you."


async def test_cost_adds_up(counter: Counter) -> None:
    house = counter.house
    house.clock.now = house.core.budget.midnight() + 60
    await spend(house.stores, "r", "m", Tokens(100, 300, 0, 50), 0.125)
    text = await counter.says("/cost")
    assert "$0.125" in text and "75%" in text and "1 request ·" in text


@pytest.mark.parametrize(("line", "most"), [("/audit", 10), ("/audit 3", 3), ("/audit 999", 50), ("/audit ²", 10)])
async def test_audit_shows_the_newest_and_whether_the_chain_holds(counter: Counter, line: str, most: int) -> None:
    for number in range(60):
        async with counter.house.stores.database.transaction() as tx:
            await counter.house.stores.audit.record(tx, "run", "tg:1", objective=f"line-{number}")
    text = await counter.says(line)
    assert "60 records" in text and "chain intact" in text and text.count("line-") == most
    assert "line-59" in text and "line-0" not in text.split()


async def test_the_others_speak_for_themselves(counter: Counter) -> None:
    assert (await counter.says("/doctor")).startswith("All is well.\nlooked ")
    assert "Nothing to look at" in await counter.says("/digest")


@pytest.mark.parametrize("line", ["/start", "/help", "/pending", "/cost"])
async def test_a_stranger_who_got_this_far_learns_nothing(counter: Counter, line: str) -> None:
    await counter.house.ask(use("rack_switch_off", item="lamp"))
    view: Any = await counter.send(line, STRANGER)
    assert view is None or "lamp" not in view.text


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("why is my nas sick?", "/status"), ("show me the containers", "/containers"), ("a container?", "/containers"),
        ("restart jellyfin please", "/restart"), ("the logs of plex", "/logs"), ("who changed what: audit", "/audit"),
        ("stop radarr", "/containers"), ("please start plex", "/containers"), ("help me, a new start", "/containers"),
    ],
)  # fmt: skip
def test_when_nobody_can_think_a_command_comes_near(line: str, command: str) -> None:
    """One that looks, or asks before it does anything: never /stop or /start, whose words alone halt and lift."""
    assert menu_of(catalogue(discover())).nearest(line) == command


@pytest.fixture
def glances(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both services have something to show at a glance."""

    async def racks(_: Any) -> Glance:
        return Glance("3 things in the rack", (), {"lair": "on"})

    async def notes(_: Any) -> Glance:
        return Glance("2 notes", (), {"diary": "open"})

    monkeypatch.setattr(rack.service, "look", racks)
    monkeypatch.setattr(rack.own, "look", notes)


async def test_a_digest_tells_only_what_its_reader_may_see(build: Any, glances: None) -> None:
    house = await build(telegram_viewers="3:notes")
    counter = a_counter(house)
    async with house.stores.database.transaction() as tx:
        await house.stores.snapshots.save(tx, {"lair": "off", "cellar": "on", "diary": "shut"})
    house.clock.move(1)
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    await house.ask(use("rack_switch_off", item="fan"))
    whole, part = await counter.says("/digest"), await counter.says("/digest", VIEWER)
    for words in ("3 things", "lair: off → on", "cellar: gone", "Switch lamp off · verified", "1 waiting"):
        assert words in whole and words not in part
    assert "2 notes" in part and "diary: shut → open" in part and "lamp" not in part


async def test_a_role_for_some_services_is_not_one_for_everything(build: Any) -> None:
    house = await build(telegram_admins="1,2:notes", telegram_operators="")
    counter = a_counter(house)
    halt = house.core.halt
    for line in ("/audit", "/doctor", "/stop all"):
        assert "of all services" in await counter.says(line, OPERATOR), line
    assert halt.everything is None
    assert "/audit" not in await counter.says("/help", OPERATOR) and "/audit" in await counter.says("/help")
    await counter.says("/stop all")
    await counter.says("/start", OPERATOR)
    assert halt.everything == PANIC


async def test_what_concerns_the_whole_is_in_the_audit_log(counter: Counter) -> None:
    for line in ("/new", "/stop all", "/start"):
        await counter.says(line)
    kinds = [entry.kind for entry in await counter.house.stores.audit.export()]
    assert kinds == ["new", "stop all", "stop", "start again"]


async def test_an_unknown_outcome_needs_somebody_until_it_is_answered(counter: Counter) -> None:
    house = counter.house
    await house.ask(use("rack_switch_off", item="lamp"))
    house.rack.fault = "sent"
    await house.tap()
    await house.deliver()
    unknown = await house.call()
    status = await counter.says("/status")
    assert "1 needs you" in status and "1 outcome unknown: /pending" in status and "today $0.00 · 1 unknown" in status
    assert await counter.send("/pending") is None
    (kind, payload), (_, left) = await house.deliver()
    assert (kind, payload["call"], left["buttons"]) == ("receipt", unknown.id, [])
    assert await counter.says("/pending", OPERATOR) == "Nothing waits for you.", "it stands in another chat"
    await house.known(unknown, "n")
    status = await counter.says("/status")
    assert "unknown" not in status and "today $0.00 · 1 failed" in status
    assert await counter.says("/pending") == "Nothing waits for you."


async def test_who_may_see_nothing_is_not_told_that_all_is_well(build: Any, glances: None) -> None:
    house = await build(telegram_viewers="3:elsewhere")
    counter = a_counter(house)
    seen, blind = await counter.send("/status"), await counter.send("/status", VIEWER)
    assert seen is not None and "All well" in plain(seen)
    assert blind is not None and "All well" not in plain(blind) and "yours to look at" in plain(blind)
    buttons = [[button.text for row in view.buttons for button in row] for view in (seen, blind)]
    assert "Things" in buttons[0] and "Things" not in buttons[1]
    assert "/things" in await counter.says("/help") and "/things" not in await counter.says("/help", VIEWER)
    assert await counter.says("/things", VIEWER) == "/things needs a viewer of rack."


async def test_without_a_service_there_is_nothing_that_could_be_well(counter: Counter) -> None:
    text = await counter.says("/status")
    assert "All well" not in text and "No service is set up" in text


async def test_only_who_may_change_things_is_invited_to(counter: Counter) -> None:
    admin, viewer = await counter.says("/help"), await counter.says("/help", VIEWER)
    assert "restart jellyfin" in admin and "/stop all" in admin
    assert "restart jellyfin" not in viewer and "/stop all" not in viewer
    assert "/stop all" not in await counter.says("/help", OPERATOR)
    assert "your tap" in await counter.says("/start") and "your tap" not in await counter.says("/start", VIEWER)


@pytest.mark.parametrize(("autonomy", "words"), [("observe", "I only look"), ("reversible", "can be undone")])
async def test_the_greeting_promises_what_is_set(build: Any, autonomy: str, words: str) -> None:
    text = await a_counter(await build(autonomy=autonomy)).says("/start")
    assert words in text and "nothing without your tap" not in text


async def test_audit_speaks_of_outcomes_and_not_of_the_gate(counter: Counter) -> None:
    await counter.house.ask(use("rack_switch_off", item="lamp"))
    await counter.house.tap()
    text = await counter.says("/audit")
    assert "Switch lamp off: done, verified" in text and "Admin approved: Switch lamp off" in text
    assert "gate" not in text and "rack_" not in text
