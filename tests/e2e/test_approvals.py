"""Who may decide what, once: taps, roles, numbered cards, destruction, and everything that voids a card."""

import json

from lab.telegram.state import ADMIN, OPERATOR, STRANGER, VIEWER
from tests.e2e.harness import CARD, UNDO, Home, keys


async def test_two_taps_have_one_effect(home: Home) -> None:
    home.say("stop radarr")
    card = await home.card("Stop radarr")
    await home.quiet()
    taps = [home.tap(card, "Stop radarr") for _ in range(2)]
    assert [await home.toast(tap) for tap in taps] == ["Approved.", "Already decided."]
    await home.hear("✓ Stopped radarr")
    assert home.writes() == ["POST /containers/radarr/stop"]


async def test_two_taps_on_undo_have_one_effect(home: Home) -> None:
    home.say("stop radarr")
    home.tap(await home.card("Stop radarr"), "Stop radarr")
    receipt = await home.hear("✓ Stopped radarr")
    first, second = home.tap(receipt, "Undo"), home.tap(receipt, "Undo")
    assert await home.toast(first) == "Taking it back."
    assert "undone" in await home.toast(second) or "used" in await home.toast(second)
    await home.hear("✓ Started radarr")
    assert home.writes() == ["POST /containers/radarr/stop", "POST /containers/radarr/start"]


async def test_a_stranger_gets_nothing_and_decides_nothing(home: Home) -> None:
    home.say("restart jellyfin")
    card = await home.card("Restart jellyfin")
    home.lab.telegram.send(STRANGER, "restart jellyfin")
    home.lab.telegram.send(STRANGER, "/start")
    tap = home.tap(card, "Restart jellyfin", STRANGER)
    assert "not for you" in await home.toast(tap)
    await home.ask("/cost", "today")  # whatever was to follow the stranger's lines would have come by now
    assert not home.lab.telegram.sent(STRANGER) and not home.writes()
    assert home.query("SELECT count(*) FROM runs WHERE actor LIKE ?", f"%{STRANGER}%") == [(0,)]
    rejected = home.query("SELECT actor, data FROM audit WHERE kind = 'tap rejected'")
    assert [(actor, json.loads(data)["reason"]) for actor, data in rejected] == [(f"tg:{STRANGER}", "stranger")]
    assert keys(card, CARD) == ["Restart jellyfin", "Deny"]


async def test_a_viewer_reads_and_cannot_change(home: Home) -> None:
    culprit = home.lab.world.story.culprit.name
    assert culprit in (await home.ask("/status", "need", VIEWER)).text
    answer = await home.ask("restart jellyfin", "operator", VIEWER)
    assert not keys(answer, CARD)
    page = await home.ask("/containers", "page 1", VIEWER)
    home.tap(page, culprit, VIEWER)
    page = await home.hear("restart policy", VIEWER)
    assert {"Restart", "Stop", "Start"}.isdisjoint(keys(page, "m:"))
    forged = page.button("Logs").replace(":logs:", ":restart:")
    home.press(page, forged, VIEWER)
    await home.hear("needs an operator of docker", VIEWER)
    await home.ask("/audit", "operator", VIEWER)
    assert not home.writes() and home.query("SELECT count(*) FROM approvals") == [(0,)]


async def test_an_operator_changes_and_does_not_destroy(home: Home) -> None:
    home.say("stop radarr", OPERATOR)
    home.tap(await home.card("Stop radarr", OPERATOR), "Stop radarr", OPERATOR)
    await home.hear("✓ Stopped radarr", OPERATOR)
    answer = await home.ask("remove radarr", "admin", OPERATOR)
    assert not keys(answer, CARD)
    assert home.writes() == ["POST /containers/radarr/stop"]


async def test_a_card_is_its_owners(home: Home) -> None:
    home.say("stop radarr", OPERATOR)
    card = await home.card("Stop radarr", OPERATOR)
    assert await home.toast(home.tap(card, "Stop radarr", ADMIN)) == "This is not for you."
    mine = await home.ask("/start", "service")
    assert "no longer open" in await home.toast(home.press(mine, card.button("Stop radarr")))
    assert not home.writes()


async def test_pending_draws_the_card_again_and_the_older_one_says_so(home: Home) -> None:
    home.say("stop radarr")
    old = await home.card("Stop radarr")
    button = old.button("Stop radarr")
    home.say("/pending")
    new = await home.card("Stop radarr")
    await home.quiet()
    assert new.message_id > old.message_id
    assert old.text == "Stop radarr\nasked again below" and not old.buttons
    assert "newer" in await home.toast(home.press(old, button)) and not home.writes()
    home.tap(new, "Stop radarr")
    await home.hear("✓ Stopped radarr")
    await home.ask("/pending", "Nothing waits")


async def test_stop_voids_an_open_card(home: Home) -> None:
    home.say("restart jellyfin")
    card = await home.card("Restart jellyfin")
    button = card.button("Restart jellyfin")
    await home.quiet()
    answer = await home.ask("/stop", "Stopped")
    assert "1 card voided" in answer.text
    await home.hear("Restart jellyfin: not started")
    assert await home.toast(home.press(card, button)) == "Already decided." and not home.writes()


async def test_deny_and_a_typed_yes_change_nothing(home: Home) -> None:
    home.say("restart jellyfin")
    card = await home.card("Restart jellyfin")
    await home.ask("yes", ".")
    await home.quiet()
    assert not home.writes()
    home.tap(card, "Deny")
    await home.hear("Restart jellyfin: denied")
    assert not home.writes()


async def test_two_changes_share_one_numbered_card(home: Home) -> None:
    home.say("stop sonarr and radarr")
    card = await home.card("2 changes")
    assert "1. Stop sonarr" in card.text and "2. Stop radarr" in card.text
    assert keys(card, CARD) == ["Run all 2", "One by one", "Deny"]
    home.tap(card, "Run all 2")
    receipt = await home.hear("✓ Stopped sonarr.*✓ Stopped radarr")
    assert len(keys(receipt, UNDO)) == 2 and receipt.message_id == card.message_id
    assert home.writes() == ["POST /containers/sonarr/stop", "POST /containers/radarr/stop"]


async def test_two_changes_one_by_one(home: Home) -> None:
    home.say("stop sonarr and radarr")
    home.tap(await home.card("2 changes"), "One by one")
    home.tap(await home.card("^Stop sonarr"), "Stop sonarr")
    second = await home.card("^Stop radarr")
    home.tap(second, "Deny")
    await home.hear("Stop radarr: denied")
    assert home.writes() == ["POST /containers/sonarr/stop"]


async def test_destroying_takes_two_taps_and_undo_makes_it_again(home: Home) -> None:
    before = home.lab.world.dump()
    home.say("remove gitea")
    card = await home.card("Remove gitea · DESTROY")
    assert "forge_gitea" in card.text and keys(card, CARD)[0] == "Deny"
    assert await home.toast(home.tap(card, "Remove gitea …")) == "Tap once more to confirm."
    armed = await home.hear("Remove gitea · DESTROY")
    assert keys(armed, CARD)[0] == "Yes, remove gitea" and not home.writes()
    home.tap(armed, "Yes, remove gitea")
    receipt = await home.hear("✓ Removed gitea")
    assert "gitea" not in home.lab.world.dump()["nas"]["containers"]
    home.tap(receipt, "Undo")
    await home.hear("✓ .*gitea")
    await home.quiet()
    assert home.lab.world.dump() == before


async def test_a_forbidden_label_refuses_in_code(home: Home) -> None:
    answer = await home.ask("restart vaultwarden", "never to be touched|marked")
    assert not keys(answer, CARD) and not home.writes()
    assert home.query("SELECT count(*) FROM audit WHERE kind = 'refused'") == [(1,)]


async def test_an_ambiguous_name_asks_which_one(home: Home) -> None:
    answer = await home.ask("restart node-exporter", "mini.*nas|nas.*mini")
    assert not keys(answer, CARD) and not home.writes()
    home.say("the one on mini")
    card = await home.card("node-exporter")
    assert "mini" in card.text
    home.tap(card, "Restart node-exporter")
    await home.hear("✓ Restarted node-exporter")
    assert len(home.writes()) == 1 and home.container("node-exporter", "mini").started_at
