"""The rows of what people say: every example goes through the real gate, and so do lines that no row holds as such."""

import re

import pytest

from lab.claude.brain.intents import meant
from lab.kit.intents import Intent, understood
from lab.kit.twin import intents
from tests.lab.chat import Chat, Json

KNOWN = intents()
VALUES = {
    "domain": "ads.example.com", "minutes": "10 min", "count": "20 lines", "address": "192.0.2.9",
    "container": "jellyfin", "guest": "media", "tagged": "redis:7.4-alpine", "text": "the boiler in the attic",
    "question": "where is the boiler?",
}  # fmt: skip


@pytest.mark.parametrize("intent", KNOWN, ids=lambda intent: f"{intent.tool} {intent.examples[0]}")
async def test_every_example_reaches_its_tool_through_the_gate(chat: Chat, intent: Intent) -> None:
    await chat.stores.knowledge.add("the boiler in the attic is old", chat.admin.id, tainted=False)
    for example in intent.examples:
        line = intent.spoken(example, **VALUES)
        text = await chat.told(line if intent.whole else f"Could you please {line}?", "n")
        assert [name for name, _ in chat.used if name != intent.look] == [intent.tool] * bool(intent.tool) or (
            intent.look and {name for name, _ in chat.used} == {intent.look, intent.tool}
        ), (line, chat.used, text)
        assert "stand-in" not in text and (text or intent.changes), line


def test_an_example_lacks_nothing_that_stands_in_another_row() -> None:
    """Each example is understood as its own row and no other."""
    for intent in KNOWN:
        for example in intent.examples:
            found = understood(intent.spoken(example, **VALUES), KNOWN)
            assert found and found[0].tool == intent.tool, (example, found)


LINES = """
    Could you please restart Jellyfin?                         | restart jellyfin
    restart sonarr and radarr                                  | restart sonarr, restart radarr
    restart radarr and the home assistant container please     | restart radarr, restart home-assistant
    stop sonarr and start immich-import                        | stop sonarr, start immich-import
    shut down jellyfin on nas                                  | stop nas/jellyfin
    delete mini/mosquitto                                      | remove mini/mosquitto
    it hangs, restart jellyfin now                             | restart jellyfin
    jellyfin is not working, can you restart it?               | restart jellyfin
    please reboot jellyfin because it is slow                  | restart jellyfin
    restrat jellyfin                                           | restart jellyfin
    restart jellyfin but don't touch sonarr                    | restart jellyfin
    do not restart jellyfin, restart radarr                    | restart radarr
    kannst du sonarr und radarr neu starten?                   | restart sonarr, restart radarr
    paperless hängt, starte es neu                             | restart paperless
    ¿puedes reiniciar jellyfin y apaga sonarr?                 | restart jellyfin, stop sonarr
    pause blocking for 10 min and restart jellyfin             | {"minutes": 10}, restart jellyfin
    Restart Jellyfin, then turn off ad blocking for half an hour | restart jellyfin, {"minutes": 30}
    pausiere den Werbeblocker für 2 Stunden                    | {"minutes": 120}
"""


@pytest.mark.parametrize(("line", "expected"), [row.split("|") for row in LINES.strip().splitlines()])
async def test_orders_become_calls_on_one_card(chat: Chat, line: str, expected: str) -> None:
    await chat.told(line.strip(), "n")
    [card] = chat.batches
    assert ", ".join(map(_short, card)) == expected.strip() and len(await chat.calls(chat.last)) == len(card)


def _short(call: tuple[str, Json]) -> str:
    tool, args = call
    return f"{tool.split('_')[1]} {args['container']}" if "container" in args else str(args).replace("'", '"')


KEPT = (
    "don't restart jellyfin", "please do not, whatever happens, restart jellyfin", "never stop jellyfin",
    "nicht jellyfin", "Starte jellyfin bitte nicht neu", "no reinicies jellyfin", "don't pause blocking",
    "leave jellyfin stopped", "how do I restart jellyfin?", "did you restart jellyfin?", "when did sonarr stop?",
    "jellyfin restarts a lot", "what would happen if I stop jellyfin?", "I restarted jellyfin yesterday",
    "wie starte ich jellyfin neu?", "restart everything", "restart", "stop", "yes", "so fix it",
    "restart jellyfin tomorrow at 3", "pause the music for me", "block", "rather not", "I meant sonarr",
   
)  # fmt: skip


@pytest.mark.parametrize("line", KEPT)
async def test_no_question_no_doubt_and_no_negation_changes_anything(chat: Chat, line: str) -> None:
    assert await chat.told(line)
    assert not {tool for tool, _ in chat.used} & {intent.tool for intent in KNOWN if intent.changes}, chat.used


TALKS = """
    is radarr up? > running > restart it > restart nas/radarr
    is radarr up? > running > ok, then restart that one please > restart nas/radarr
    is radarr up? > running > stop it and start it > stop nas/radarr, start nas/radarr
    läuft radarr? > running > starte ihn neu > restart nas/radarr
    ¿cómo está radarr? > running > reinícialo > restart nas/radarr
    is jellyfin up? > healthy > remove the container sonarr > remove sonarr
    is jellyfin up? > healthy > sonarr is stuck, restart it > restart sonarr
    my nextcloud is super slow today > looks fine > and restart it > restart nas/nextcloud
    restart jellyfin > > no, I mean sonarr! > restart sonarr
    restart jellyfin > > sorry, sonarr instead > restart sonarr
    restart node-exporter > Which one do you mean: ` > the one on mini > restart mini/node-exporter
    restart node-exporter > Which one do you mean: ` > both > restart nas/node-exporter, restart mini/node-exporter
    restart jelyfin > “restart nas/jellyfin” > yes > restart nas/jellyfin
    why is immich-import down? > “start immich-import” > so fix it > start immich-import
    why is immich-import down? > “start immich-import” > ja bitte > start immich-import
    why is ads.example.com blocked? > attic > so allow it please > {"domain": "ads.example.com"}
    is my DNS redundant? > not alike > so fix it > {"source": "attic"}
    is gitea up? > running > what about sonarr > running > restart both > restart nas/gitea, restart nas/sonarr
"""


@pytest.mark.parametrize("talk", TALKS.strip().splitlines())
async def test_a_line_leans_on_the_exchange_before(chat: Chat, talk: str) -> None:
    *before, line, expected = (part.strip() for part in talk.split(">"))
    for said, told in zip(before[::2], before[1::2], strict=True):
        assert told in await chat.told(said, "n")
    await chat.told(line, "n")
    assert ", ".join(map(_short, chat.batches[-1])) == expected


async def test_what_is_half_understood_says_what_was_not(chat: Chat) -> None:
    assert "I did not understand “cook dinner" in await chat.told("restart jellyfin and cook dinner for hungry guests")
    assert chat.used == [("docker_restart_container", {"container": "jellyfin"})]


async def test_outcomes_are_told_as_they_are(chat: Chat) -> None:
    assert await chat.told("restart jellyfin") == "jellyfin is running now and healthy."
    chat.lab.world.health_after = 60.0
    assert "running now; its health check has yet to pass." in await chat.told("restart jellyfin")
    assert "Start radarr: there was nothing to do." in await chat.told("start radarr")
    assert "Nothing here is called" in await chat.told("restart warp-drive")
    chat.lab.traffic.fault("docker:nas", method="POST", status=409, body='{"message": "no, not today"}', times=1)
    text = await chat.told("restart sonarr and radarr")
    assert "Restart sonarr: it failed (" in text and "Restart radarr: not started" in text and "now." not in text
    chat.lie()
    assert "did not confirm it" in await chat.told("stop radarr")
    await chat.again(AUTONOMY="observe")
    text = await chat.told("restart jellyfin")
    assert "Restart jellyfin: refused (" in text and "Nothing was changed." in text and " now" not in text


async def test_a_name_that_differs_in_spelling_only_is_tried_again(chat: Chat) -> None:
    assert "home-assistant is running now" in await chat.told("restart homeassistant")
    assert chat.used[-1] == ("docker_restart_container", {"container": "home-assistant"})


async def test_update_pulls_the_image_and_does_not_claim_more(chat: Chat) -> None:
    assert "keeps running the old one" in await chat.told("update jellyfin")
    image = chat.container("jellyfin").config["Image"]
    assert chat.used[-1] == ("docker_pull_image", {"image": image, "host": "nas"})


async def test_a_clean_up_goes_where_there_is_something_to_gain_and_tells_how_much(chat: Chat) -> None:
    await chat.told("clean up please", "n")
    assert {args["host"] for _, args in chat.batches[-1]} == {"nas", "mini"}
    await chat.told("prune unused volumes on mini", "n")
    assert chat.batches[-1] == [("docker_prune_system", {"host": "mini", "kinds": [], "volumes": True})]
    await chat.told("clean up the stopped containers on nas", "n")
    assert chat.batches[-1] == [("docker_prune_system", {"host": "nas", "kinds": ["stopped_containers"]})]
    told = re.search(r"([\d.]+) GB could be reclaimed", await chat.told("how much disk space do we use on nas?"))
    freed = re.search(r"Clean up nas: ([\d.]+) MB freed", await chat.told("clean up on nas"))
    assert told and freed and float(told[1]) == round(float(freed[1]) / 1000, 1)
    await chat.told("clean up")
    text = await chat.told("clean up")
    assert "next to nothing" in text and "unused images on nas: 2, 0.1 GB" in text
    assert "stopped containers on nas: 1" in text and "unused volumes on mini" in text


async def test_a_group_is_taken_from_the_listing(chat: Chat) -> None:
    await chat.told("start everything that is stopped", "n")
    assert [_short(call) for call in chat.batches[-1]] == ["start nas/borg-backup", "start nas/immich-import"]
    await chat.told("restart the unhealthy ones", "n")
    assert "restart nas/paperless" in map(_short, chat.batches[-1])


async def test_somebody_else_changes_what_the_card_is_about(chat: Chat) -> None:
    card = "Pause DNS blocking for 5 min\nblocking attic, cellar"
    chat.lab.telegram.card = lambda: card  # type: ignore[method-assign]
    assert chat.lab._view.drift({}) == {"said": "Somebody else paused blocking on attic."}
    rows = chat.lab._view.parts(1, 0)["services"]
    shown = [(row["name"], row["state"], row["dot"]) for each in rows for row in each["rows"]]
    assert {("attic", "paused", "odd"), ("cellar", "blocks", "good")} < {*shown}


def test_a_paste_is_not_read_to_its_end() -> None:
    """Clause by clause, ten thousand characters held everybody else up for twenty seconds."""
    parts, lost = meant("how is radarr?\n" + "the queue was restarted and went on\n" * 300, KNOWN)
    assert [part.thing for part in parts][:1] == ["radarr"] and len(parts) + len(lost) < 40
