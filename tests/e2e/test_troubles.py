"""What goes wrong on the way: broken updates, Telegram's bad days, a Claude that answers badly, and secrets."""

from pathlib import Path

import pytest

from lab.telegram.state import ADMIN
from tests.e2e.harness import CARD, Home, keys, open_home

SEND = r"/sendMessage$"


async def test_a_malformed_update_is_set_aside_and_the_next_one_answered(home: Home) -> None:
    broken = home.lab.telegram.inject({"message": {"message_id": "x", "chat": 7, "date": []}})
    home.lab.telegram.inject({"callback_query": "not an object"})
    home.lab.telegram.inject({"edited_channel_post": {}})
    await home.ask("/cost", "today")
    states = dict(home.query("SELECT update_id, state FROM inbox"))
    assert states[broken] == "quarantined" and list(states.values()).count("done") >= 1
    assert "Traceback" not in home.log()


@pytest.mark.parametrize(
    ("fault", "resent"),
    [
        ({"status": 429, "body": '{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 1",'
                                 '"parameters":{"retry_after":1}}'}, False),
        ({"status": 502, "body": "<html>Bad Gateway</html>"}, True),
        ({"drop": True}, True),
    ],
    ids=["429", "502", "dropped"],
)  # fmt: skip
async def test_an_answer_survives_telegrams_bad_moment(home: Home, fault: dict[str, object], resent: bool) -> None:
    home.lab.traffic.fault("telegram", path=SEND, **fault)  # type: ignore[arg-type]
    answer = await home.ask("/cost", "today")
    await home.quiet()
    assert len(home.lab.telegram.sent(ADMIN)) == 1
    assert ("(resent)" in answer.text) == resent


async def test_an_answer_of_unknown_fate_comes_again_and_says_so(home: Home) -> None:
    home.lab.traffic.fault("telegram", path=SEND, drop_after=True)
    await home.ask("/cost", r"\(resent\)")
    await home.quiet()
    first, second = home.lab.telegram.sent(ADMIN)
    assert second.text == f"{first.text}\n(resent)"


async def test_a_card_sent_twice_is_decided_once(home: Home) -> None:
    menu = await home.ask("/containers", "page 1")
    home.lab.traffic.fault("telegram", path=SEND, drop_after=True)
    home.press(menu, f"m:containers:0:stop:nas/{home.container('radarr').id[:12]}")
    again = await home.card(r"Stop radarr.*\(resent\)")
    first = next(m for m in home.lab.telegram.sent(ADMIN) if m.message_id != again.message_id and keys(m, CARD))
    await home.quiet()
    assert "newer" in await home.toast(home.tap(first, "Stop radarr"))
    home.tap(again, "Stop radarr")
    await home.hear("✓ Stopped radarr")
    assert home.writes() == ["POST /containers/radarr/stop"]


async def test_refused_entities_become_plain_text(home: Home) -> None:
    refusal = '{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities: unsupported"}'
    home.lab.traffic.fault("telegram", path=SEND, status=400, body=refusal)
    answer = await home.ask("/start", "at your service")
    assert not answer.entities and "**" not in answer.text and answer.button("Status")


async def test_polling_outlives_an_outage(home: Home) -> None:
    home.lab.traffic.fault("telegram", path="/getUpdates$", status=502, times=2)
    home.say("/cost")  # the poll under way still brings this one
    await home.hear("today")
    answer = await home.ask("/help", "/digest")
    assert answer.from_bot and home.bot.starts == 1


async def test_a_broken_stream_is_asked_for_again(tmp_path: Path) -> None:
    """Where there is money for it: what breaks off is booked at its longest."""
    async with open_home(tmp_path, BUDGET_TASK_USD="1") as home:
        home.lab.claude.mid_stream.extend(["drop", "error"])
        answer = await home.ask("is jellyfin up?", "running")
        assert "jellyfin" in answer.text and not home.writes()


async def test_an_engine_that_is_gone_is_said_and_the_other_still_serves(home: Home) -> None:
    home.lab.traffic.fault("docker:mini", drop=True, times=None)
    status = await home.ask("/status", "mini")
    assert "🔴" in status.text and home.lab.world.story.culprit.name in status.text
    listing = await home.ask("/containers", "mini")
    assert "jellyfin" in listing.text or "page 1 of" in listing.text


async def test_kill_9_in_the_middle_of_a_change_is_said_and_never_repeated(home: Home) -> None:
    home.lab.traffic.fault("docker:nas", method="POST", path="/stop$", stall=True)
    home.say("stop radarr")
    home.tap(await home.card("Stop radarr"), "Stop radarr")
    await home.until(home.writes, "the change to begin")
    await home.kill()
    unknown = await home.hear("outcome unknown")
    assert {b["text"] for b in unknown.buttons} >= {"It happened", "It did not"}
    await home.quiet()
    assert home.writes() == ["POST /containers/radarr/stop"]


async def test_no_secret_of_the_homelab_leaves_it(home: Home) -> None:
    canaries = home.lab.world.canaries
    assert len(canaries) > 10
    await home.ask("show me the details of paperless", "paperless")
    await home.ask("show me the last logs of postgres", "postgres")
    home.tap(await home.remove("gitea"), "Undo")
    await home.hear("✓ .*gitea")
    await home.quiet()
    stored = b"".join(path.read_bytes() for path in home.data.rglob("*") if path.is_file())
    said = home.everything_said()
    assert "paperless" in said and b"paperless" in stored
    own = [home.bot.env["TELEGRAM_BOT_TOKEN"], home.bot.env["ANTHROPIC_API_KEY"]]
    leaked = [secret for secret in (*canaries, *own) if secret in said or secret.encode() in stored]
    assert not leaked
