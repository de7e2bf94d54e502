"""The scripted brain proposes changes and tells their outcomes truthfully."""

import re
from pathlib import Path

import pytest

from tests.lab.chat import CONTAINERS, LISTING, Chat, Json, done, error
from tests.place import Place

ORDERS = [
    ("restart jellyfin", [("restart", "jellyfin")]),
    ("Could you please restart Jellyfin?", [("restart", "jellyfin")]),
    ("restart sonarr and radarr", [("restart", "sonarr"), ("restart", "radarr")]),
    ("restart sonarr, radarr and the home assistant container please",
     [("restart", "sonarr"), ("restart", "radarr"), ("restart", "home-assistant")]),
    ("stop sonarr and start radarr", [("stop", "sonarr"), ("start", "radarr")]),
    ("shut down jellyfin on nas", [("stop", "nas/jellyfin")]),
    ("turn jellyfin off", [("stop", "jellyfin")]),
    ("give jellyfin a restart", [("restart", "jellyfin")]),
    ("delete mini/old-app", [("remove", "mini/old-app")]),
    ("it hangs, restart jellyfin now", [("restart", "jellyfin")]),
    ("please reboot jellyfin because it is slow", [("restart", "jellyfin")]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), ORDERS)
def test_orders_become_calls_in_one_reply(line: str, expected: list[tuple[str, str]]) -> None:
    chat = Chat({f"docker_{verb}_container": done for verb in ("restart", "start", "stop", "remove")})
    chat.say(line)
    assert chat.calls == [(f"docker_{verb}_container", {"container": name}) for verb, name in expected]
    assert len(chat.batches) == 1


@pytest.mark.parametrize(
    "line",
    ["don't restart jellyfin", "how do I restart jellyfin?", "did you restart jellyfin?", "when did sonarr stop?"]
    + ["restart everything", "restart", "what would happen if I stop jellyfin?", "yes"],
)
def test_talk_about_changes_changes_nothing(line: str) -> None:
    chat = Chat({"docker_list_containers": LISTING, "memory_search_memories": {"memories": []}})
    chat.answers |= {f"docker_get_container_{kind}": {} for kind in ("details", "logs", "stats")}
    chat.say(line)
    assert [name for name, _ in chat.calls if not name.startswith(("docker_get", "docker_list", "memory_search"))] == []


OUTCOMES: list[tuple[Json, str]] = [
    ({"outcome": "done", "verified": True, "before": {"state": "exited"}, "after": {"state": "running"}},
     "jellyfin is running now."),
    ({"outcome": "done", "verified": True, "after": {"state": "running", "health": "starting"}},
     "jellyfin is running now; its health check has yet to pass."),
    ({"outcome": "done", "verified": False}, "did not confirm it"),
    ({"outcome": "done"}, "nothing has verified"),
    ({"outcome": "denied"}, "You said no. Nothing was changed."),
    ({"outcome": "expired"}, "expired before anyone tapped it. Nothing was changed."),
    ({"outcome": "refused", "detail": "AUTONOMY is observe."}, "refused (AUTONOMY is observe). Nothing was changed."),
    ({"outcome": "failed", "detail": "The engine said no."}, "it failed (The engine said no)"),
    ({"outcome": "unknown"}, "I do not know whether it happened"),
    ({"outcome": "already", "detail": "Already so: nothing to do."}, "Restart jellyfin: there was nothing to do."),
    (error('Nothing here is called "jelly". Nearest: jellyfin (nas).'), "Nearest: jellyfin (nas)."),
    (error('"x" is ambiguous: nas/x, mini/x. Ask which one.'), "Which one do you mean: `nas/x` or `mini/x`?"),
]  # fmt: skip


@pytest.mark.parametrize(("result", "phrase"), OUTCOMES)
def test_outcomes_are_told_as_they_are(result: Json, phrase: str) -> None:
    result = result if "!" in result else {"title": "Restart jellyfin", **result}
    text = Chat({"docker_restart_container": result}).say("restart jellyfin")
    assert phrase in text
    assert (" now" in text) == (result.get("verified") is True)


def test_each_of_several_outcomes_is_told() -> None:
    outcomes = {"sonarr": "failed", "radarr": "not_started"}
    chat = Chat({"docker_restart_container": lambda a: {"outcome": outcomes[a["container"]]}})
    text = chat.say("restart sonarr and radarr")
    assert "Restart sonarr: it failed" in text and "Restart radarr: not started" in text


def test_a_name_that_differs_in_spelling_only_is_tried_again() -> None:
    answers = {"homeassistant": error("Nothing here is called that. Nearest: home-assistant (mini).")}
    chat = Chat({"docker_restart_container": lambda a: answers.get(a["container"]) or done(a)})
    assert "now" in chat.say("restart homeassistant")
    assert chat.calls[-1] == ("docker_restart_container", {"container": "home-assistant"})


def test_update_pulls_the_image_and_does_not_claim_more() -> None:
    chat = Chat(
        {"docker_get_container_details": CONTAINERS[1], "docker_pull_image": {"outcome": "done", "verified": True}}
    )
    text = chat.say("update jellyfin")
    assert chat.calls[-1] == ("docker_pull_image", {"image": "jellyfin:1.2", "host": "nas"})
    assert "keeps running the old one" in text
    chat.say("pull postgres:16.4")
    assert chat.calls == [("docker_pull_image", {"image": "postgres:16.4"})]


def test_clean_up_goes_where_there_is_something_to_gain() -> None:
    idle = [{"kind": "unused_images", "count": 0}, {"kind": "stopped_containers", "count": 2}]
    hosts = [{"host": "nas", "reclaimable_gb": 7.5}, {"host": "mini", "reclaimable_gb": 0.0, "unused": idle}]
    chat = Chat({"docker_get_system_info": {"hosts": hosts}, "docker_prune_system": {"outcome": "denied"}})
    assert chat.say("clean up please") == "You said no. Nothing was changed."
    assert chat.calls[-1] == ("docker_prune_system", {"host": "nas"})
    chat.say("prune mini")
    assert chat.calls[-1] == ("docker_prune_system", {"host": "nas"})
    chat.say("prune unused volumes on mini")
    assert chat.calls == [("docker_prune_system", {"host": "mini", "kinds": [], "volumes": True})]
    chat.say("clean up the old containers")
    assert chat.calls[-1] == ("docker_prune_system", {"host": "mini", "kinds": ["stopped_containers"]})
    assert "next to nothing" in chat.say("remove unused images")
    hosts[0]["reclaimable_gb"] = 0.0
    text = chat.say("clean up")
    assert "next to nothing" in text and "stopped containers on mini: 2, size unknown" in text
    hosts[0]["reclaimable_gb"] = None
    chat.say("free some space")
    assert chat.calls[-1] == ("docker_prune_system", {"host": "nas"}), "how much it frees is decoration"


@pytest.mark.parametrize(
    ("after", "phrase"),
    [({"freed_mb": 921.4}, "921.4 MB freed"), ({"freed_mb": None, "freed_at_least_mb": 7.0}, "at least 7.0 MB freed"),
     ({"freed_mb": None, "freed_at_least_mb": None}, "not known")],
)  # fmt: skip
def test_what_a_clean_up_freed_is_told(after: Json, phrase: str) -> None:
    outcome = {"title": "Clean up nas", "outcome": "done", "verified": True, "after": after}
    assert phrase in Chat({"docker_prune_system": outcome}).say("clean up on nas")


async def test_through_the_gate_it_tells_what_the_card_and_the_receipt_do(tmp_path: Path) -> None:
    async with Place(tmp_path, model=None) as place:
        await place.say("how much disk space do we use on nas?")
        told = re.search(r"([\d.]+) GB could be reclaimed", "".join(await place.texts()))
        await place.say("clean up on nas")
        promised = re.search(r"frees ([\d.]+) MB", await place.text())
        assert told and promised and float(told[1]) == round(float(promised[1]) / 1000, 1)
        await place.approve()
        assert f"Clean up nas: {float(promised[1])} MB freed." in "".join(await place.texts())
        await place.say("clean up the stopped containers on nas")
        assert "stopped containers immich-import 3.5 MB" in await place.text()


def test_a_group_is_taken_from_the_listing() -> None:
    chat = Chat({"docker_list_containers": LISTING, "docker_restart_container": done, "docker_start_container": done})
    chat.say("restart the unhealthy ones")
    assert chat.calls[-1] == ("docker_restart_container", {"container": "nas/paperless"})
    chat.say("start everything that is stopped")
    assert chat.calls[-1] == ("docker_start_container", {"container": "mini/backup"})
