"""What a text names: compared as people write, and no more than that."""

import pytest

from tools.gate.spelling import Wording

NAMED = [
    ("stop home assistant", "home-assistant"), ("Stop Home-Assistant!", "home_assistant"),
    ("STOP HOME_ASSISTANT", "home-assistant"), ("stop HomeAssistant", "home-assistant"),
    ("stop “home assistant”", "home-assistant"), ("stop `home-assistant`.", "home-assistant"),
    ("stop 'pi hole' and sonarr", "pihole"), ("stop pi-hole", "pihole"), ("restart jellyfin on nas", "nas"),
    ("restart nas/web:", "web"), ("restart nas/web", "nas/web"), ("why is it slow.", "slow"),
    ("restart jellyfin's container", "jellyfin"), ("restart the jellyfins", "jellyfin"), ("all backups", "backup"),
    ("the backup of today", "backups"), ("restart the lounge", "the-lounge"), ("restart lounge", "the-lounge"),
    ("Starte den Jellyfin-Container neu", "jellyfin"), ("stoppe Home-Assistant-Container", "home-assistant"),
    ("Starte das Küchenradio", "kuechenradio"), ("Starte das Kuechenradio", "küchenradio"),
    ("Starte das Küchenradio", "kuchenradio"), ("Größe von straße", "strasse"), ("para el contenedor música", "musica"),
    ("reinicia piñata", "pinata"), ("restart jellyfin 2", "jellyfin-2"), ("stop ＨＯＭＥ assistant", "home-assistant"),
    ("stop redis", "redis"), ("use ghcr.io/a/b:1.2", "ghcr.io/a/b:1.2"), ("it runs nginx:1.27", "nginx:1.27"),
]  # fmt: skip
NOT_NAMED = [
    ("look at web13", "3"), ("look at web-old", "web"), ("look at web.old", "web"), ("restart web_1", "web"),
    ("the database", "db"), ("mariadb is slow", "db"), ("stop assistant home", "home-assistant"),
    ("stop home, and the assistant", "home-assistant"), ("restart media", "media-jellyfin-1"), ("a dog", "as"),
    ("restart it", ""), ("", "jellyfin"), ("restart jelly", "jellyfin"), ("restart jellyfin-2", "jellyfin"),
    ("restart sonarr", "radarr"), ("restart the web-server", "web"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), NAMED)
def test_in_any_usual_spelling_it_is_named(text: str, name: str) -> None:
    assert Wording(text).names(name)
    assert Wording(text).mentions(name), "whatever is named is also mentioned"


@pytest.mark.parametrize(("text", "name"), NOT_NAMED)
def test_what_only_looks_like_it_is_not_named(text: str, name: str) -> None:
    assert not Wording(text).names(name)


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("please restart home assistant now", "home-assistant", True),
        ("restart-home-assistant-now", "home-assistant", True),
        ("h o m e  a s s i s t a n t", "home-assistant", True),
        ("restartHomeAssistantNow", "home-assistant", True),
        ("xhome-assistantx", "home-assistant", True),
        ("ho\u200dme\nassist\u00adant", "home-assistant", True),
        ("h\u043eme \u0430ssistant", "home-assistant", True),
        ("stop web-old", "web", True),
        ("GET /web/index.html", "web", True),
        ("mariadb starts", "db", False),
        ("one bad block", "db", False),
        ("what is on arrival", "sonarr", False),
        ("nothing of that kind", "home-assistant", False),
    ],
)
def test_what_could_have_been_taken_from_a_text_is_mentioned(text: str, name: str, found: bool) -> None:
    assert Wording(text).mentions(name) is found


@pytest.mark.parametrize(
    ("text", "number", "found"),
    [
        ("the last 20 lines", 20, True), ("for 5 minutes", 5, True), ("for five minutes", 5, True),
        ("für fünf Minuten", 5, True), ("por cinco minutos", 5, True), ("for 10min", 10, True), ("5 GB", 5.0, True),
        ("to 2.5", 2.5, True), ("50%", 50, True), ("web13", 3, False), ("web-3", 3, False), ("2.5", 5, False),
        ("1.25", 25, False), ("13", 3, False), ("often", 10, False), ("-3", 3, False),
    ],
)  # fmt: skip
def test_numbers_are_found_as_people_write_them(text: str, number: float, found: bool) -> None:
    assert Wording(text).counts(number) is found


def test_a_number_beside_a_word_stands_in_one_line_with_it() -> None:
    log = Wording("2 requests handled\ndelete the memory, number 7\nidentity 9")
    words = frozenset({"id", "delete", "memory"})
    assert log.counts(7, words) and not log.counts(2, words) and not log.counts(9, words) and log.counts(2)


@pytest.mark.parametrize(
    "line",
    ["clean up, and the volumes", "räum auf, auch Volumes", "limpia, también los volúmenes", "the old volume too"],
)
def test_a_switch_is_named_in_languages_nearby(line: str) -> None:
    assert Wording(line).switches("volumes", True) and not Wording(line).switches("volumes", False)


@pytest.mark.parametrize(
    "line", ["clean up, but keep the volumes", "ohne Volumes", "sin los volúmenes", "don't touch volumes", "no volume!"]
)
def test_a_switch_that_is_refused_is_not_asked_for(line: str) -> None:
    assert Wording(line).switches("volumes", False) and not Wording(line).switches("volumes", True)


def test_what_is_not_spoken_of_is_no_switch() -> None:
    assert not any(Wording(said).switches("volumes", on) for said in ("clean up nas", "") for on in (True, False))
    assert not Wording("it allows that").switches("all", True)


def test_a_long_text_is_searched_quickly() -> None:
    import time

    log, began = Wording("2026-11-27T00:12:13 [info] request from 10.0.0.7 handled in 12 ms\n" * 2000), time.monotonic()
    assert not any(log.names(f"container-{number}") or log.mentions(f"container-{number}") for number in range(200))
    assert time.monotonic() - began < 5.0
