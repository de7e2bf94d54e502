"""Roster: numeric ids only, for messages and for taps; whatever is not known is nobody."""

import os
from typing import Any

import pytest

from bot.settings.people import ANONYMOUS_ADMIN, Roster, console_actor
from bot.settings.settings import Settings
from memory.models import Actor, Role
from tests.house import ADMIN, GROUP, OPERATOR, STRANGER, VIEWER
from tools.kit.service import Risk


def access(**values: str) -> Roster:
    people = {"telegram_admins": "1", "telegram_operators": "2", "telegram_viewers": "3", "telegram_chats": "-100"}
    return Roster(Settings(_env_file=None, **{**people, **values}))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("user", "chat", "private", "welcome"),
    [
        (1, 1, True, True), (3, 3, True, True), (4, 4, True, False), (1, 2, True, False), (None, 1, True, False),
        (1, -100, False, True), (1, -200, False, False), (4, -100, False, False), (None, -100, False, False),
    ],
)  # fmt: skip
def test_who_is_listened_to_where(user: int | None, chat: int, private: bool, welcome: bool) -> None:
    door = access()
    assert door.welcome(user, chat, private) is welcome
    assert door.strangers == (0 if welcome else 1)


def test_it_speaks_in_the_groups_that_are_named_and_in_no_other() -> None:
    assert access().speaks_in(-100) and not access().speaks_in(-200)


def test_an_anonymous_admin_is_nobody_in_particular() -> None:
    door = access(telegram_admins=f"1,{ANONYMOUS_ADMIN}")
    assert not door.welcome(ANONYMOUS_ADMIN, -100, False)


def test_roles() -> None:
    door = access()
    found = [door.role(actor.id, "docker") for actor in (ADMIN, OPERATOR, VIEWER, STRANGER)]
    assert found == [Role.ADMIN, Role.OPERATOR, Role.VIEWER, Role.NOBODY]


@pytest.mark.parametrize("actor", ["", "1", "tg:99", "console:", "console:999999", "web:1", "schedule"])
def test_what_is_no_person_has_no_role(actor: str) -> None:
    assert access().role(actor) == Role.NOBODY


def test_the_console_is_its_owners() -> None:
    assert console_actor().id == f"console:{os.getuid()}"
    assert access().role(console_actor().id, "docker") == Role.ADMIN
    assert access().approvers(console_actor().id, Risk.DESTROY, "docker") == [console_actor().id]


@pytest.mark.parametrize(
    ("values", "service", "role"),
    [
        ({"telegram_operators": "2:docker"}, "docker", Role.OPERATOR),
        ({"telegram_operators": "2:docker"}, "pihole", Role.NOBODY),
        ({"telegram_operators": "2:docker"}, "", Role.OPERATOR),
        ({"telegram_operators": "2:docker", "telegram_viewers": "2"}, "pihole", Role.VIEWER),
        ({"telegram_operators": "2", "telegram_admins": "2:docker"}, "docker", Role.ADMIN),
        ({"telegram_operators": "2", "telegram_admins": "2:docker"}, "pihole", Role.OPERATOR),
    ],
)
def test_a_role_may_be_limited_to_services(values: dict[str, str], service: str, role: Role) -> None:
    assert access(**values).role(OPERATOR.id, service) == role


@pytest.mark.parametrize(
    ("conversation", "risk", "who"),
    [
        (ADMIN.id, Risk.DESTROY, [ADMIN]), (OPERATOR.id, Risk.CHANGE, [OPERATOR]), (OPERATOR.id, Risk.DESTROY, []),
        (VIEWER.id, Risk.CHANGE, []), (VIEWER.id, Risk.READ, [VIEWER]), (STRANGER.id, Risk.READ, []),
        (GROUP, Risk.CHANGE, [ADMIN, OPERATOR]), (GROUP, Risk.DESTROY, [ADMIN]), ("tg:-200", Risk.CHANGE, []),
    ],
)  # fmt: skip
def test_who_may_approve(conversation: str, risk: Risk, who: list[Actor]) -> None:
    found: Any = access().approvers(conversation, risk, "docker")
    assert sorted(found) == [actor.id for actor in who]


def test_the_highest_role_in_a_conversation() -> None:
    door = access()
    assert door.highest(GROUP, "docker") == Role.ADMIN
    assert door.highest(VIEWER.id, "docker") == Role.VIEWER
    assert door.highest("tg:-200", "docker") == Role.NOBODY


@pytest.mark.parametrize(
    ("values", "role"),
    [
        ({}, Role.OPERATOR),
        ({"telegram_operators": "2:docker"}, Role.NOBODY),
        ({"telegram_operators": "2:docker", "telegram_viewers": "2"}, Role.VIEWER),
        ({"telegram_operators": "2", "telegram_admins": "2:docker"}, Role.OPERATOR),
    ],
)
def test_for_everything_only_a_role_without_limits_counts(values: dict[str, str], role: Role) -> None:
    door = access(**values)
    assert door.overall(OPERATOR.id) == role
    assert door.overall(console_actor().id) == Role.ADMIN
    assert door.overall(STRANGER.id) == door.overall("console:999999") == Role.NOBODY
