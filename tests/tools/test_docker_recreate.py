"""Undo of a removal: whatever a container was made with, the new one has it, too."""

from typing import Any

import pytest

from lab.services.docker.engine.rules import EngineError
from tests.tools import recreated
from tests.tools.conftest import Rack
from tools.docker.recreate import _endpoint


def build(rack: Rack, case: str) -> Any:
    """The case as a container on `nas`."""
    host, sample = rack.at("nas/redis")
    for name, subnet in recreated.SUBNETS.items():
        host.networks.create({"Name": name, "IPAM": {"Config": [{"Subnet": subnet}]}})
    made = host.create(recreated.body(case, sample.config["Image"]), "precious")
    if case == "everything":
        host.networks.connect("two", made, recreated.SECOND | {"MacAddress": "02:42:0a:d5:4e:77"})
    if case not in recreated.NEVER_STARTED:
        host.start("precious")
    return host


async def inspect(rack: Rack, name: str = "precious") -> Any:
    return await rack.reader["nas"].ask(lambda api: api.inspect_container(name))


@pytest.mark.parametrize("case", recreated.CASES)
async def test_it_comes_back_as_it_was(rack: Rack, case: str) -> None:
    build(rack, case)
    before = await inspect(rack)
    removed = await rack.carry_out(await rack.read("remove_container", container=await rack.id("precious")))
    assert removed.verified and removed.error is None
    again = await rack.undo(removed)
    assert again.error is None and again.verified
    after = await inspect(rack)
    assert after["Id"] != before["Id"] and after["State"]["Status"] == before["State"]["Status"]
    assert recreated.differences(before, after) == []


async def test_the_comparison_sees_a_difference(rack: Rack) -> None:
    """Every leaf that is set counts: a table that compares nothing would be green for ever."""
    build(rack, "everything")
    before, after = await inspect(rack), await inspect(rack)
    after["HostConfig"]["Ulimits"][0]["Hard"] = 4096
    after["Config"]["Env"][0] = "SECRET_KEY=x"
    after["NetworkSettings"]["Networks"]["two"]["Aliases"].remove("deux")
    after["NetworkSettings"]["Networks"]["one"]["MacAddress"] = "02:42:0a:d5:4d:09"
    after["Mounts"] = [mount for mount in after["Mounts"] if mount["Destination"] != "/unnamed"]
    places = [line.partition(":")[0] for line in recreated.differences(before, after)]
    assert places == [
        "Config.Env", "HostConfig.Ulimits", "Mounts./unnamed", "Networks.one.MacAddress", "Networks.two.Aliases"
    ]  # fmt: skip


async def test_an_assigned_hardware_address_is_not_taken_for_a_chosen_one(rack: Rack) -> None:
    """Kept, it could meet another container that was given the same one meanwhile."""
    build(rack, "no address chosen")
    change = await rack.read("remove_container", container=await rack.id("precious"))
    assert change.net is not None and "MacAddress" not in str(change.net)
    for address in ("", "999.1.2.3", "::1", "x"):
        assert _endpoint({"MacAddress": "02:42:0a:00:00:02", "IPAddress": address}, "a")["MacAddress"]


async def test_one_that_has_left_its_network_does_not_come_back_into_it(rack: Rack) -> None:
    host = build(rack, "no address chosen")
    host.networks.connect("two", host.get("precious"), recreated.SECOND)
    host.networks.disconnect("one", host.get("precious"))
    removed = await rack.carry_out(await rack.read("remove_container", container=await rack.id("precious")))
    assert (await rack.undo(removed)).verified
    assert list((await inspect(rack))["NetworkSettings"]["Networks"]) == ["two"]


async def test_one_on_anothers_network_stack(rack: Rack) -> None:
    host, redis = rack.at("nas/redis")
    stack = {"Image": redis.config["Image"], "HostConfig": {"NetworkMode": f"container:{redis.id}"}}
    host.create(stack, "precious")
    host.start("precious")
    before = await inspect(rack)
    removed = await rack.carry_out(await rack.read("remove_container", container=await rack.id("precious")))
    assert not {"Hostname", "Domainname", "ExposedPorts", "MacAddress"} & set(removed.change.net["body"])  # type: ignore[index]
    assert (await rack.undo(removed)).verified
    assert recreated.differences(before, await inspect(rack)) == []


async def test_an_address_taken_meanwhile_is_said(rack: Rack) -> None:
    host = build(rack, "everything")
    removed = await rack.carry_out(await rack.read("remove_container", container=await rack.id("precious")))
    squatter = {**recreated.PLAIN, "Image": host.get("redis").config["Image"], "HostConfig": {"NetworkMode": "one"}}
    place = {"EndpointsConfig": {"one": {"IPAMConfig": {"IPv4Address": "10.213.77.9"}}}}
    host.create(squatter | {"NetworkingConfig": place}, "squatter")
    host.start("squatter")
    with pytest.raises(EngineError, match="already in use"):
        host.start(host.create(squatter | {"NetworkingConfig": place}, "third").id)
    assert host.get("third").error == "Address already in use"
    again = await rack.undo(removed)
    assert "exists again, but is not complete" in str(again.error) and "Address already in use" in str(again.error)
