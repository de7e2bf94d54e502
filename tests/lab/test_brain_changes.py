"""The scripted brain proposes changes and tells their outcomes truthfully."""

import re
from pathlib import Path

from tests.lab.chat import Chat

ORDERS = [
    ("restart jellyfin", [("restart", "jellyfin")]),
    ("Could you please restart Jellyfin?", [("restart", "jellyfin")]),
    ("restart sonarr and radarr", [("restart", "sonarr"), ("restart", "radarr")]),
    ("restart sonarr, radarr and the home assistant container please",
     [("restart", "sonarr"), ("restart", "radarr"), ("restart", "home-assistant")]),
    ("stop sonarr and start immich-import", [("stop", "sonarr"), ("start", "immich-import")]),
    ("shut down jellyfin on nas", [("stop", "nas/jellyfin")]),
    ("turn jellyfin off", [("stop", "jellyfin")]),
    ("give jellyfin a restart", [("restart", "jellyfin")]),
    ("delete mini/mosquitto", [("remove", "mini/mosquitto")]),
    ("it hangs, restart jellyfin now", [("restart", "jellyfin")]),
    ("please reboot jellyfin because it is slow", [("restart", "jellyfin")]),
]  # fmt: skip


async def test_orders_become_calls_in_one_reply(chat: Chat) -> None:
    for line, expected in ORDERS:
        await chat.told(line, "n")
        calls = [(f"docker_{verb}_container", {"container": name}) for verb, name in expected]
        assert chat.batches == [calls] and len(await chat.calls(chat.last)) == len(calls), line


async def test_talk_about_changes_changes_nothing(chat: Chat) -> None:
    for line in (
        "don't restart jellyfin", "how do I restart jellyfin?", "did you restart jellyfin?", "when did sonarr stop?",
        "restart everything", "restart", "what would happen if I stop jellyfin?", "yes",
    ):  # fmt: skip
        await chat.told(line)
        assert not await chat.calls(), line


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


async def test_what_was_refused_is_told_with_the_reason(tmp_path: Path) -> None:
    async with Chat(tmp_path, AUTONOMY="observe") as chat:
        text = await chat.told("restart jellyfin")
    assert "Restart jellyfin: refused (" in text and "Nothing was changed." in text and " now" not in text


async def test_a_name_that_differs_in_spelling_only_is_tried_again(chat: Chat) -> None:
    assert "home-assistant is running now" in await chat.told("restart homeassistant")
    assert chat.used[-1] == ("docker_restart_container", {"container": "home-assistant"})


async def test_update_pulls_the_image_and_does_not_claim_more(chat: Chat) -> None:
    assert "keeps running the old one" in await chat.told("update jellyfin")
    image = chat.container("jellyfin").config["Image"]
    assert chat.used[-1] == ("docker_pull_image", {"image": image, "host": "nas"})


async def test_clean_up_goes_where_there_is_something_to_gain(chat: Chat) -> None:
    await chat.told("clean up please", "n")
    assert {arguments["host"] for tool, arguments in chat.used if tool == "docker_prune_system"} == {"nas", "mini"}
    await chat.told("prune unused volumes on mini", "n")
    assert chat.batches[-1] == [("docker_prune_system", {"host": "mini", "kinds": [], "volumes": True})]


async def test_a_clean_up_tells_what_the_card_and_the_receipt_do(chat: Chat) -> None:
    told = re.search(r"([\d.]+) GB could be reclaimed", await chat.told("how much disk space do we use on nas?"))
    freed = re.search(r"Clean up nas: ([\d.]+) MB freed", await chat.told("clean up on nas"))
    assert told and freed and float(told[1]) == round(float(freed[1]) / 1000, 1)
    await chat.told("clean up the stopped containers on nas", "n")
    assert chat.used[-1] == ("docker_prune_system", {"host": "nas", "kinds": ["stopped_containers"]})


async def test_what_a_clean_up_takes_only_by_name_is_said_when_nothing_else_is_left(chat: Chat) -> None:
    await chat.told("clean up")
    text = await chat.told("clean up")
    assert "next to nothing" in text and "unused images on nas: 2, 0.1 GB" in text
    assert "stopped containers on nas: 1" in text and "unused volumes on mini" in text


async def test_a_group_is_taken_from_the_listing(chat: Chat) -> None:
    await chat.told("start everything that is stopped", "n")
    assert [arguments for _, arguments in chat.batches[-1]] == [
        {"container": "nas/borg-backup"}, {"container": "nas/immich-import"},
    ]  # fmt: skip
    await chat.told("restart the unhealthy ones", "n")
    assert ("docker_restart_container", {"container": "nas/paperless"}) in chat.batches[-1]
