"""Portainer: what the generated tests need to know of it, and what is special about it."""

import json
from typing import Any

import pytest

from lab.services.portainer import Portainer
from memory.models import CallRow, CallState
from memory.secrets import MASK
from tests.bot.menus.pressing import Menus, labels, lines
from tests.bot.menus.test_commands import a_counter
from tests.fakes import use
from tests.generated.stages import Args, Move, Stage
from tests.house import ADMIN
from tests.place import Place, without_waits
from tools.gate.proposals import Answer
from tools.kit import Glance
from tools.portainer import LAYERS, NO_RIGHTS


def twin(place: Place) -> Portainer:
    found = place.lab.twins["portainer"]
    assert isinstance(found, Portainer)
    return found


def moved(id: int, **fields: Any) -> Move:
    """Somebody else does that to a stack."""
    return lambda place: twin(place).stacks.change(id, **fields)


def named(name: str) -> Move:
    """Somebody else renames the environment."""
    return lambda place: twin(place).places.change(1, Name=name)


def ended(place: Place) -> Any:
    """A container of feeds ends by itself."""
    [row] = twin(place).containers.where(Name="/feeds-web-1")
    twin(place).containers.change(row["Id"], State="exited")


def edited(place: Place) -> Any:
    twin(place).file["feeds"] += "# edited\n"


def newer(place: Place) -> Any:
    twin(place).registry["freshrss/freshrss:1.24"] = f"sha256:{'9' * 64}"


def hidden(place: Place) -> Any:
    del twin(place).registry["freshrss/freshrss:1.24"]


def updated(place: Place) -> Any:
    """Somebody else has deployed the newer image."""
    twin(place).pull("freshrss/freshrss:1.24")
    twin(place)._up(twin(place).stacks.rows[1])


FEEDS, GALLERY = {"stack": "feeds"}, {"stack": "gallery"}
RUNNING: dict[str, Move] = {
    "environment": named("attic"), "state": moved(1, Status=4), "running": ended,
}  # fmt: skip
STAGES: dict[str, Stage | Args] = {
    "portainer_get_stack": FEEDS,
    "portainer_stop_stack": Stage(FEEDS, RUNNING, fixed=frozenset({"name"})),
    "portainer_start_stack": Stage(
        GALLERY, {"environment": named("attic"), "state": moved(3, Status=4)}, fixed=frozenset({"name", "running"})
    ),
    "portainer_redeploy_stack": Stage(
        FEEDS,
        {**RUNNING, "file": edited, "runs": updated, "brings": newer, "not_known": hidden},
        fixed=frozenset({"name"}),
    ),
}

READS = {
    "portainer_list_environments": {}, "portainer_list_edge_agents": {}, "portainer_list_stacks": {},
    "portainer_get_stack": FEEDS,
}  # fmt: skip


async def done(place: Place, tool: str, stack: str = "feeds") -> CallRow:
    await place.ask(use(f"portainer_{tool}", stack=stack))
    await place.approve()
    return await place.call()


async def said(place: Place, tool: str, **args: Any) -> Any:
    """What a read tells, out of the wrapping that text from outside comes in."""
    text = await place.read(tool, **args)
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def fault(place: Place, path: str, **how: Any) -> None:
    place.lab.traffic.fault("portainer", path=path, times=None, **how)


async def test_a_key_that_may_only_look_at_one_environment_reads_all_of_it(place: Place) -> None:
    await place.again(PORTAINER_API_KEY=twin(place).reader)
    for tool, args in READS.items():
        told = await said(place, tool, **args)
        assert not told.get("down") and not told.get("silent") and not told.get("note"), tool
    assert "cottage" not in await place.read("portainer_list_environments")
    assert "weather" not in await place.read("portainer_list_stacks")


async def test_a_key_without_rights_is_told_what_it_lacks(place: Place) -> None:
    await place.again(PORTAINER_API_KEY=twin(place).stranger)
    assert (await said(place, "portainer_list_stacks"))["note"] == NO_RIGHTS
    assert NO_RIGHTS in "\n".join(lines(await pages(place).send("/stacks")))


async def test_a_key_that_may_not_change_has_changed_nothing(place: Place) -> None:
    fault(place, "/stop", status=403, body='{"message": "Access denied to resource"}')
    row = await done(place, "stop_stack")
    assert row.state == "failed" and "Access denied to resource" in row.detail


async def test_html_of_a_proxy_is_no_inventory(place: Place) -> None:
    fault(place, "/api/stacks", status=200, body="<html><title>Sign in</title></html>")
    told = await said(place, "portainer_list_stacks")
    assert told["stacks"] == {} and "not proper JSON" in told["down"][0]["reason"] and "note" not in told


async def test_of_an_agent_that_has_gone_silent_the_stacks_are_said_and_not_touched(place: Place) -> None:
    agents = (await said(place, "portainer_list_edge_agents"))["environments"]
    assert [(one["name"], one["state"]) for one in agents.values()] == [("cottage", "not checked in")]
    told = await said(place, "portainer_get_stack", stack="weather")
    assert told["containers"] == [] and "cottage is not up" in told["silent"] and "weewx" in told["file"]
    assert "cottage is not up" in (await refused(place, "stop_stack", "weather"))


async def refused(place: Place, tool: str, stack: str) -> str:
    found = await place.prepare(f"portainer_{tool}", {"stack": stack})
    assert isinstance(found, Answer)
    return str(found.block["content"])


@pytest.mark.parametrize("id", [1, 2])
async def test_a_stack_or_its_environment_that_goes_before_the_tap_is_not_begun(place: Place, id: int) -> None:
    await place.ask(use("portainer_stop_stack", **FEEDS))
    place.begin()
    if id == 1:
        twin(place).stacks.remove(1)
    else:
        twin(place).places.change(1, Status=2)
    await place.approve()
    assert (await place.call()).state == CallState.NOT_STARTED and place.writes() == []


async def test_no_secret_of_a_stack_is_told(place: Place) -> None:
    told = await said(place, "portainer_get_stack", **FEEDS)
    assert told["variables"] == ["DB_PASSWORD", "TZ"] and "image: postgres:16-alpine" in told["file"]
    assert f"      - SMTP_KEY={MASK}\n" in told["file"] and f'"--password", "{MASK}"' in told["file"]
    assert not any(secret in json.dumps(told) for secret in twin(place).secrets), "nor is any variable's value"


async def test_the_login_in_a_repositorys_address_is_not_told(place: Place) -> None:
    wiki = twin(place).stacks.rows[2]
    wiki["GitConfig"] = {**wiki["GitConfig"], "URL": "https://ghp-canary@git.example.org/wiki.git"}
    told = await place.read("portainer_list_stacks")
    assert "git.example.org/wiki.git" in told and "ghp-canary" not in told


async def test_the_card_shows_what_runs_and_what_a_pull_brings(place: Place) -> None:
    image, now = "freshrss/freshrss:1.24", twin(place)
    runs = next(one for one in now.images if image in one["RepoTags"])["RepoDigests"][0].partition("@")[2]
    row = await done(place, "redeploy_stack")
    shown = row.before["shown"]
    assert shown["runs"][image] == runs[:19] and shown["brings"] == {image: now.registry[image][:19]}
    assert row.verified and not row.undo
    assert (await said(place, "portainer_get_stack", **FEEDS))["containers"][1]["digest"] == shown["brings"][image]


async def test_what_the_registry_does_not_tell_is_not_known(place: Place) -> None:
    hidden(place)
    await place.ask(use("portainer_redeploy_stack", **FEEDS))
    shown = (await place.call()).before["shown"]
    assert shown["not_known"] == ["freshrss/freshrss:1.24"] and shown["brings"] == {}


async def test_a_redeployment_keeps_all_that_it_does_not_change(place: Place) -> None:
    before = place.lab.twins["portainer"].dump()["stacks"]
    file = twin(place).file["feeds"]
    for stack in ("feeds", "wiki"):
        row = await done(place, "redeploy_stack", stack)
        assert row.verified, row.detail
    assert twin(place).dump()["stacks"] == before and twin(place).file["feeds"] == file


async def test_a_redeployment_that_brings_another_image_than_the_card_said_is_not_verified(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_waits(monkeypatch)
    await place.ask(use("portainer_redeploy_stack", **FEEDS))
    twin(place).pull = lambda tag: None  # type: ignore[method-assign]
    await place.approve()
    row = await place.call()
    assert row.state == "done" and not row.verified


async def test_a_container_whose_tag_has_moved_on_keeps_its_name(place: Place) -> None:
    twin(place).pull("freshrss/freshrss:1.24")
    [web] = [one for one in (await said(place, "portainer_get_stack", **FEEDS))["containers"] if "web" in one["name"]]
    assert web["image"] == "freshrss/freshrss:1.24" and web["digest"] != twin(place).registry[web["image"]][:19]


async def test_what_would_lose_the_containers_own_data_is_never_done_without_a_tap(place: Place) -> None:
    await place.again(AUTONOMY="reversible")
    await place.ask(use("portainer_stop_stack", **FEEDS))
    assert await place.has_card() and LAYERS in (await place.view()).text.replace("\\", "")


@pytest.mark.parametrize("name", ["\u202egnp.$(reboot)", "x; rm -rf /", "../../users/1", "a" * 300])
async def test_a_name_is_text_and_nothing_else(place: Place, name: str) -> None:
    twin(place).stacks.change(3, Name=name)
    told = await place.read("portainer_get_stack", stack="portainer/3")
    assert "no Docker" not in told
    assert {r.path for r in place.requests()} <= {
        "/api/endpoints", "/api/stacks", "/api/stacks/3", "/api/endpoints/1", "/api/stacks/3/file",
        "/api/endpoints/1/docker/containers/json",
    }  # fmt: skip


def pages(place: Place) -> Menus:
    return Menus(**vars(a_counter(place)))


async def test_the_page_stops_and_starts(place: Place) -> None:
    menus = pages(place)
    view = await menus.send("/stacks")
    assert lines(view)[0].startswith("2 of 4 stacks active")
    assert any("🔴 weather" in line and "its environment is not up" in line for line in lines(view))
    opened = await menus.press(view, "feeds")
    assert {"Stop", "Redeploy"} <= labels(opened) and "Start" not in labels(opened)
    assert await menus.press(opened, "Stop") is None
    await place.approve()
    assert twin(place).stacks.rows[1]["Status"] == 2 and not twin(place).containers.where(Project="feeds")


async def test_the_glance_says_what_is_out_of_reach(place: Place) -> None:
    moved(1, Status=4)(place)
    glance = (await place.core.proposals.reads.glances(ADMIN))["portainer"]
    assert isinstance(glance, Glance) and glance.summary == "1 of 2 environments up, 2 of 4 stacks active"
    assert [(t.name, t.detail) for t in glance.troubles] == [("cottage", "not checked in"), ("feeds", "failed")]
    assert [note.name for note in glance.quiet] == ["gallery"]


@pytest.mark.parametrize("body", ["null", "{}", '["x"]', '[{"Id": "many"}]', '[{"Id": 1, "Name": null}]'])
async def test_nonsense_is_named_and_not_shown_as_nothing(place: Place, body: str) -> None:
    fault(place, "/api/stacks", status=200, body=body)
    told = await said(place, "portainer_list_stacks")
    assert "answered" in told["down"][0]["reason"] and told["stacks"] == {}
