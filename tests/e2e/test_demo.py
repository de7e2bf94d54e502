"""What a visitor of the demo does: asks, approves, undoes, and makes trouble."""

from lab.telegram.state import ADMIN
from tests.e2e.harness import CARD, UNDO, Home, keys


async def test_status_is_one_look_without_the_model(home: Home) -> None:
    culprit = home.lab.world.story.culprit
    answer = await home.ask("/status", "need")
    assert f"{culprit.name} · {culprit.host} · restarting again and again (exit code" in answer.text
    assert "20 containers running, 1 restarting" in answer.text and "no changes" in answer.text
    assert not home.lab.claude.requests and not home.writes()


async def test_a_question_is_answered_and_says_that_nothing_was_changed(home: Home) -> None:
    culprit = home.lab.world.story.culprit
    answer = await home.ask(f"why is {culprit.name} unhappy?", "Evidence")
    assert culprit.name in answer.text and "password authentication failed" in answer.text
    assert "nothing was changed" in answer.text
    assert not home.writes()


async def test_a_change_runs_once_after_the_tap_and_the_receipt_proves_it(home: Home) -> None:
    began = home.container("jellyfin").started_at
    home.say("restart jellyfin")
    card = await home.card("Restart jellyfin")
    assert "running" in card.text and "jellyfin/jellyfin:10.9.11" in card.text and "nothing to undo" in card.text
    assert keys(card, CARD) == ["Restart jellyfin", "Deny"]
    assert home.container("jellyfin").started_at == began and not home.writes()
    assert await home.toast(home.tap(card, "Restart jellyfin")) == "Approved."
    receipt = await home.hear("✓ Restarted jellyfin")
    assert receipt.message_id == card.message_id and not receipt.buttons
    assert "since: " in receipt.text and "by Admin" in receipt.text
    assert home.container("jellyfin").started_at > began
    assert home.writes() == ["POST /containers/jellyfin/restart"]


async def test_stop_and_undo(home: Home) -> None:
    home.say("stop radarr")
    await home.toast(home.tap(await home.card("Stop radarr"), "Stop radarr"))
    receipt = await home.hear("✓ Stopped radarr")
    assert "state: running → exited" in receipt.text and keys(receipt, UNDO) == ["↩ Undo"]
    assert not home.container("radarr").alive
    assert await home.toast(home.tap(receipt, "Undo")) == "Taking it back."
    await home.hear("✓ Started radarr.*state: exited → running")
    assert home.container("radarr").alive
    undone = await home.hear("Stopped radarr.*Undo: see below")
    assert undone.message_id == receipt.message_id and not keys(undone, UNDO)
    assert home.writes() == ["POST /containers/radarr/stop", "POST /containers/radarr/start"]


async def test_drift_behind_its_back_runs_nothing_and_is_shown(home: Home) -> None:
    home.say("restart jellyfin")
    card = await home.card("Restart jellyfin")
    await home.ask("details of radarr", "radarr")
    assert "paused jellyfin" in home.lab.world.change_behind_back(), "not what was looked at last"
    home.tap(card, "Restart jellyfin")
    again = await home.card("nothing ran.*state: running → paused")
    assert keys(again, CARD) == ["Approve new", "Drop"]
    assert not home.writes() and home.container("jellyfin").status == "paused"
    home.tap(again, "Approve new")
    await home.hear("✓ Restarted jellyfin")
    assert home.writes() == ["POST /containers/jellyfin/restart"]
    assert home.container("jellyfin").alive


async def test_drift_is_about_the_open_card_also_when_that_is_about_an_image(home: Home) -> None:
    home.say("pull redis")
    card = await home.card("Pull redis")
    assert "pulled a newer redis" in home.lab.world.change_behind_back()
    home.tap(card, "Pull redis")
    await home.card("nothing ran.*local: .* → ")
    assert not home.writes()


async def test_a_line_and_a_tap_while_it_is_dead_are_not_lost(home: Home) -> None:
    home.say("stop radarr")
    card = await home.card("Stop radarr")
    await home.quiet()
    await home.bot.stop()
    home.tap(card, "Stop radarr")
    home.lab.telegram.send(ADMIN, "/cost")
    await home.start()
    await home.hear("✓ Stopped radarr")
    await home.hear("today \\$")
    assert home.writes() == ["POST /containers/radarr/stop"]


async def test_without_claude_commands_and_buttons_live_on(home: Home) -> None:
    home.say("stop radarr")
    card = await home.card("Stop radarr")
    home.lab.claude.cut = True
    home.tap(card, "Stop radarr")
    receipt = await home.hear("✓ Stopped radarr")
    speechless = (await home.hear("can't think")).text
    assert "1 change ✓" in speechless and "comes nearest" not in speechless
    answer = await home.ask("what is wrong?", "can't think.*/status")
    assert "Claude cannot be reached" in answer.text
    home.tap(receipt, "Undo")
    await home.hear("✓ Started radarr")
    home.lab.claude.cut = False
    answer = await home.ask("what is wrong?", "Evidence")
    assert home.lab.world.story.culprit.name in answer.text


async def test_the_books(home: Home) -> None:
    await home.ask("how is sonarr?", "sonarr")
    home.say("stop radarr")
    home.tap(await home.card("Stop radarr"), "Stop radarr")
    await home.hear("✓ Stopped radarr")
    await home.until(lambda: not home.query("SELECT 1 FROM runs WHERE state IN ('working', 'waiting')"), "the end")
    spent = home.query("SELECT sum(usd) FROM usage")[0][0]
    assert spent > 0
    cost = await home.ask("/cost", "today")
    assert f"today ${spent:.3f} of $1" in cost.text
    audit = await home.ask("/audit 50", "chain intact")
    for event in ("asked: how is sonarr", "asked for: Stop radarr", "approved: Stop radarr", "started", "done"):
        assert event in audit.text
    doctor = await home.ask("/doctor", "database")
    assert "🔴" not in doctor.text and "chain intact" in doctor.text and "docker" in doctor.text
    digest = await home.ask("/digest", "need")
    culprit = home.lab.world.story.culprit.name
    assert culprit in digest.text and "Stop radarr · verified · approved by" in digest.text
    help_ = await home.ask("/help", "/digest")
    assert "restart jellyfin" in help_.text
