"""Pi-hole: what the generated tests need to know of it, and what is special about it."""

import json
import re
from typing import Any

import pytest

from lab.services.pihole import Hole
from memory.models import CallRow
from tests.bot.menus.pressing import Menus, labels, lines
from tests.bot.menus.test_commands import a_counter
from tests.fakes import use
from tests.generated.stages import Args, Move, Stage
from tests.house import ADMIN
from tests.place import Place
from tools.kit import Glance

ADS, LIST, NAS = "ads.example.com", "https://lists.example.net/malware.txt", "192.0.2.10 nas.home.arpa"
WAIT = frozenset({"failed"})


def hole(place: Place, name: str = "attic") -> Hole:
    found: Hole = place.lab.twins["pihole"].holes[name]  # type: ignore[attr-defined]
    return found


def turned(on: bool) -> Move:
    def move(place: Place) -> Any:
        hole(place).blocking.change("dns", blocking=on)

    return move


def paused_for(seconds: float) -> Move:
    def move(place: Place) -> Any:
        for name in ("attic", "cellar"):
            hole(place, name).blocking.change("dns", blocking=False, until=place.lab.twins["pihole"].now() + seconds)

    return move


async def paused(place: Place) -> dict[str, Any]:
    paused_for(300)(place)
    return {}


def ruled(type_: str, domain: str = "cdn.example.net") -> Move:
    return lambda place: hole(place).ruled(type_, "exact", {"domain": domain})


def unruled(type_: str, domain: str) -> Move:
    return lambda place: hole(place).domains.remove((type_, "exact", domain))


def both(**moves: Move) -> dict[str, Move]:
    """An entry that comes or goes moves both facts."""
    [move] = moves.values()
    return {"on": move, "not_on": move}


async def removed_rule(place: Place) -> dict[str, Any]:
    await place.ask(use("pihole_remove_denied_domain", domain=ADS))
    await place.approve()
    return {"net": (await place.call()).net}


def another(place: Place) -> Any:
    return hole(place).ruled("deny", "exact", {"domain": "more.example.com"})


CDN = {"domain": "cdn.example.net"}
PRINTER = {"name": "printer.home.arpa", "address": "192.0.2.77"}
STAGES: dict[str, Stage | Args] = {
    "pihole_enable_blocking": Stage(
        paused, {"blocking": turned(True), "paused": turned(True), "paused_until": paused_for(900)}, fixed=WAIT
    ),
    "pihole_disable_blocking": Stage(
        {"minutes": 5}, {"blocking": turned(False), "paused": turned(False)}, fixed=WAIT | {"paused_until"}
    ),
    "pihole_allow_domain": Stage(CDN, both(move=ruled("allow"))),
    "pihole_deny_domain": Stage(CDN, both(move=ruled("deny"))),
    "pihole_remove_allowed_domain": Stage(
        {"domain": "mail.example.org"}, both(move=unruled("allow", "mail.example.org"))
    ),
    "pihole_remove_denied_domain": Stage({"domain": ADS}, both(move=unruled("deny", ADS))),
    "pihole_add_list": Stage(
        {"address": LIST}, both(move=lambda place: hole(place, "cellar").listed("block", {"address": LIST}))
    ),
    "pihole_remove_list": Stage(
        {"address": LIST}, both(move=lambda place: hole(place, "cellar").listed("block", {"address": LIST}))
    ),
    "pihole_add_local_dns": Stage(
        PRINTER, both(move=lambda place: hole(place).hosts.put({"line": "192.0.2.77 printer.home.arpa"}))
    ),
    "pihole_remove_local_dns": Stage(
        {"name": "nas.home.arpa", "address": "192.0.2.10"}, both(move=lambda place: hole(place).hosts.remove(NAS))
    ),
    "pihole_update_gravity": Stage({}, {"domains": lambda place: hole(place).lists.remove(("block", LIST))}),
    "pihole_put_back": Stage(removed_rule, {"missing": ruled("deny", ADS)}, fixed=frozenset({"too_many"})),
    "pihole_sync_piholes": Stage({"source": "attic"}, {"missing": another}, fixed=frozenset({"too_many"})),
    "pihole_find_blocking_rule": {"domain": ADS},
}


async def changed(place: Place, tool: str, **args: Any) -> CallRow:
    await place.ask(use(f"pihole_{tool}", **args))
    await place.approve()
    return await place.call()


async def test_one_seat_for_many_calls_and_given_back_at_the_end(place: Place) -> None:
    for _ in range(3):
        await place.read("pihole_get_summary")
    await changed(place, "deny_domain", **CDN)
    assert [len(hole(place, name).sessions.open) for name in ("attic", "cellar")] == [1, 1]
    await place.core.clients.close()
    assert [len(hole(place, name).sessions.open) for name in ("attic", "cellar")] == [0, 0]


async def test_a_session_that_ran_out_is_begun_anew(place: Place) -> None:
    await place.read("pihole_get_summary")
    hole(place).sessions.open.clear()
    assert '"down":[]' in await place.read("pihole_get_summary")


async def test_no_seat_left_is_said(place: Place) -> None:
    for number in range(16):
        hole(place).sessions.take(str(number))
    told = await place.read("pihole_get_summary")
    assert "API seats exceeded" in told and '"cellar":{"queries":48213' in told, "the other one answers all the same"


async def test_a_pause_that_runs_down_is_the_same_pause(place: Place) -> None:
    row = await changed(place, "disable_blocking", minutes=5)
    assert re.search(r"paused until \d\d:\d\d", (await place.receipt(row))[0]), "a moment, which stands still"
    assert [line["name"] for line in row.card["args"]] == ["minutes"], "that it is for all follows from saying nothing"
    assert await place.undo(row) == "Taking it back." and not await place.has_card()
    assert (await place.call()).verified


async def test_a_change_goes_to_all_and_undo_to_those_that_it_changed(place: Place) -> None:
    hole(place).blocking.change("dns", blocking=False)
    row = await changed(place, "disable_blocking", minutes=5)
    assert row.undo == {"tool": "pihole_enable_blocking", "args": {"piholes": ["cellar"]}}
    assert row.before["shown"] == {"blocking": ["cellar"], "paused": ["attic"], "failed": [], "paused_until": None}
    assert [hole(place, name).state()["blocking"] for name in ("attic", "cellar")] == ["disabled", "disabled"]


async def test_a_pause_ends_by_itself(place: Place) -> None:
    await changed(place, "disable_blocking", minutes=5, piholes=["attic"])
    assert 290 < hole(place).state()["timer"] <= 300
    place.lab.twins["pihole"].now = lambda: 4e9
    assert hole(place).state()["blocking"] == "enabled"


async def test_what_a_person_wrote_to_a_rule_comes_back_with_undo(place: Place) -> None:
    row = await changed(place, "remove_denied_domain", domain=ADS)
    await place.undo(row)
    if await place.has_card():
        await place.approve()
    assert hole(place).domains.where(domain=ADS)[0]["groups"] == [0, 1]


async def test_a_refusal_under_201_is_no_success(place: Place) -> None:
    refused = '{"processed": {"success": [], "errors": [{"item": "x", "error": "database is locked"}]}}'
    place.lab.traffic.fault("pihole", method="POST", path="/domains/", status=201, body=refused, times=None)
    row = await changed(place, "deny_domain", **CDN)
    assert row.state == "failed" and "database is locked" in row.detail


async def test_what_reaches_one_of_two_is_unknown_and_says_which(place: Place) -> None:
    place.lab.traffic.fault(
        "pihole:cellar", method="POST", path="/domains/", status=400, body='{"error":{"message":"no"}}'
    )
    row = await changed(place, "deny_domain", **CDN)
    assert row.state == "unknown" and row.detail.startswith("Done on attic. Not on cellar. Pi-hole cellar refused")


async def test_a_sync_that_is_refused_half_way_is_not_called_failed(place: Place) -> None:
    for type_ in ("allow", "deny"):
        hole(place).ruled(type_, "exact", CDN)
    place.lab.traffic.fault("pihole:cellar", method="POST", path="/domains/deny/", status=400, times=None)
    row = await changed(place, "sync_piholes", source="attic")
    assert row.state == "unknown" and row.detail.startswith("Only a part of its lists was changed. Pi-hole cellar")
    assert hole(place, "cellar").domains.where(domain=CDN["domain"])[0]["type"] == "allow"


async def test_they_are_brought_in_step_and_back(place: Place) -> None:
    hole(place).ruled("allow", "regex", {"domain": r"(\.|^)example\.net$"})
    hole(place, "cellar").hosts.put({"line": "192.0.2.99 spare.home.arpa"})
    before = place.lab.twins["pihole"].dump()
    assert '"alike":false' in await place.read("pihole_compare_piholes")
    row = await changed(place, "sync_piholes", source="attic")
    assert row.verified and '"alike":true' in await place.read("pihole_compare_piholes")
    await place.undo(row)
    if await place.has_card():
        await place.approve()
    assert place.lab.twins["pihole"].dump() == before


@pytest.mark.parametrize(
    ("arrange", "conclusion"),
    [
        (lambda place: None, "not alike"),
        (lambda place: hole(place, "cellar").listed("block", {"address": LIST}), "survives the loss of any one"),
        (lambda place: hole(place).lines.clear() or hole(place, "cellar").lines.clear(), "fewer than two DNS servers"),
        (lambda place: place.lab.traffic.fault("pihole:cellar", drop=True, times=None), "Fewer than two answer"),
    ],
)
async def test_whether_dns_is_redundant_is_said_with_the_reason(place: Place, arrange: Move, conclusion: str) -> None:
    arrange(place)
    assert conclusion in await place.read("pihole_get_redundancy")


async def test_a_wildcard_is_the_pattern_that_the_pi_hole_itself_would_write(place: Place) -> None:
    await changed(place, "deny_domain", domain="Ads.Example.NET.", wildcard=True)
    assert hole(place).domains.where(kind="regex")[0]["domain"] == r"(\.|^)ads\.example\.net$"


async def test_the_glance_says_what_is_paused_and_who_is_gone(place: Place) -> None:
    hole(place).blocking.change("dns", blocking=False, until=place.lab.twins["pihole"].now() + 300)
    place.lab.traffic.fault("pihole:cellar", drop=True, times=None)
    glance = (await place.core.proposals.reads.glances(ADMIN))["pihole"]
    assert isinstance(glance, Glance) and glance.summary == "0 of 2 Pi-holes block"
    assert [(t.name, t.red) for t in glance.troubles] == [("cellar", True), ("attic", False)]
    assert re.fullmatch(r"paused, on again in (5:00|4:5\d)", glance.troubles[1].detail)


@pytest.mark.parametrize("body", ["{}", "[]", '{"queries": {"total": "many"}}', "null", '"x"'])
async def test_nonsense_is_named_and_not_shown_as_zero(place: Place, body: str) -> None:
    await place.read("pihole_get_summary")
    place.lab.traffic.fault("pihole", path="/stats/summary", status=200, body=body, times=None)
    told = await place.read("pihole_get_summary")
    assert '"found":{}' in told and ("queries.total" in told or "something else" in told)


def pages(place: Place) -> Menus:
    return Menus(**vars(a_counter(place)))


async def test_the_page_pauses_counts_down_and_goes_on(place: Place) -> None:
    menus = pages(place)
    view = await menus.send("/dns")
    for name, drawn in zip(("attic", "cellar"), lines(view)[-3:-1], strict=True):
        assert re.fullmatch(rf"{name} [▁-█]{{16}} 170–6\d\d queries · \S+ \d\d:\d\d–\S*\d\d:\d\d", drawn)
    assert lines(view)[:3] == [
        "Blocking on 2 of 2 · page 1 of 1",
        "🟢 attic · blocking · 20 % of 48,213 queries blocked",
        "🟢 cellar · blocking · 20 % of 48,213 queries blocked",
    ]
    assert await menus.press(view, "Pause 5 min") is None
    await place.approve()
    for name in ("attic", "cellar"):
        place.lab.traffic.fault(f"pihole:{name}", path="/api/history", status=500, times=None)
    view = await menus.send("/dns")
    assert lines(view)[0] == "Nothing is blocked now · page 1 of 1"
    assert re.search(r"🟡 attic · paused, on again in (5:00|4:5\d) ·", lines(view)[1])
    assert "Pause 5 min" not in labels(view) and await menus.press(view, "Block again now") is None
    await place.approve()
    assert lines(await menus.send("/dns"))[0].startswith("Blocking on 2 of 2")


async def test_what_was_blocked_is_explained_and_allowed_from_the_page(place: Place) -> None:
    menus = pages(place)
    opened = await menus.press(await menus.send("/dns"), ADS)
    assert "attic: blocked by a rule, on the block list" in "\n".join(lines(opened))
    assert {"Allow", "Why"} <= labels(opened) and "Block" not in labels(opened), "it is blocked by a rule already"
    assert await menus.press(opened, "Allow") is None
    await place.approve()
    assert [len(hole(place, name).domains.where(type="allow", domain=ADS)) for name in ("attic", "cellar")] == [1, 1]


async def test_allow_block_and_why_take_any_spelling_of_a_domain(place: Place) -> None:
    menus = pages(place)
    assert await menus.send("/block https://Tracker.Example.NET/pixel") is None
    await place.approve()
    assert hole(place).domains.where(type="deny", domain="tracker.example.net")
    assert "tracker.example.net" in "\n".join(lines(await menus.send("/why tracker.example.net")))
    assert "Nothing here is called" in "\n".join(lines(await menus.send("/allow nonsense")))


async def test_a_day_reaches_the_model_whole(place: Place) -> None:
    told = await place.read("pihole_get_history")
    assert "left out" not in told and told.count('"every_s":600.0') == 4
    assert all(len(series["values"]) == 144 for one in json.loads(told)["found"].values() for series in one.values())
