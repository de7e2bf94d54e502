"""What an engine says of an error may quote a container's environment: its values do not get any further."""

import json

import pytest

from tests.tools.conftest import Rack
from tools.docker.facts import container_facts
from tools.kit import ToolFailed


async def values_of(rack: Rack, name: str) -> list[str]:
    """The secrets the world has put into one container."""
    env = " ".join(rack.at(name)[1].config["Env"])
    return [secret for secret in rack.world.canaries if secret in env]


async def test_an_error_of_a_change_does_not_quote_what_was_read_before(rack: Rack) -> None:
    secrets = await values_of(rack, "nas/paperless")
    assert secrets
    change = await rack.read("restart_container", container=await rack.id("paperless"))
    body = json.dumps({"message": f"runc: bad env {' '.join(secrets)}"})
    rack.traffic.fault("docker:nas", method="POST", status=500, body=body)
    outcome = await rack.carry_out(change, within=0.1)
    assert "runc: bad env •••" in str(outcome.error)
    assert not [secret for secret in secrets if secret in str(outcome.error)]


@pytest.mark.parametrize("before", [0, 190, 3990])
async def test_no_part_of_a_value_is_left_where_the_quote_is_cut(rack: Rack, before: int) -> None:
    secrets = await values_of(rack, "nas/paperless")
    target = await rack.id("paperless")
    await container_facts(rack.reader, target)
    body = json.dumps({"message": ("x" * 19 + "\n") * (before // 20) + "y" * (before % 20) + secrets[0] + "z" * 100})
    rack.traffic.fault("docker:nas", path=target.partition("/")[2], status=400, body=body)
    with pytest.raises(ToolFailed) as caught:
        await container_facts(rack.reader, target)
    assert secrets[0][:6] not in str(caught.value)


async def test_an_undo_that_fails_does_not_quote_its_own_request(rack: Rack) -> None:
    removed = await rack.carry_out(await rack.read("remove_container", container=await rack.id("gitea")))
    rack.nets.all["n"] = removed.change.net
    removed.change.net["body"]["Env"] = ["ROOT_PASSWORD=never-read-before"]
    change = await rack.read("recreate_container", net="n")
    body = '{"message": "invalid environment variable: ROOT_PASSWORD=\\"never-read-before\\" or never-read-before"}'
    rack.traffic.fault("docker:nas", method="POST", path="/containers/create", status=400, body=body)
    outcome = await rack.carry_out(change, within=0.1)
    assert "invalid environment variable" in str(outcome.error) and "never-read" not in str(outcome.error)


async def test_what_is_secret_in_one_container_is_hidden_in_the_log_and_the_command_of_another(rack: Rack) -> None:
    secrets = await values_of(rack, "nas/paperless")
    await container_facts(rack.reader, await rack.id("nas/paperless"))
    other = await rack.id("nas/jellyfin")
    rack.traffic.fault("docker:nas", path="/logs$", status=200, body=f"login with {secrets[0]} failed\n".encode())
    found = await rack.read("get_container_logs", container=other)
    assert list(found.lines) == ["login with ••• failed"]
    raw = json.dumps({"Id": "a" * 64, "Path": "sh", "Args": [secrets[0]], "State": {"Error": f"bad {secrets[0]}"}})
    rack.traffic.fault("docker:nas", path="/json$", status=200, body=raw)
    found = await rack.read("get_container_details", container=other)
    assert found.command == "sh •••" and found.error == "bad •••"


async def test_a_pull_that_fails_quotes_no_secret(rack: Rack) -> None:
    secrets = await values_of(rack, "nas/paperless")
    await container_facts(rack.reader, await rack.id("paperless"))
    change = await rack.read("pull_image", image="redis:7.4-alpine", host="nas")
    body = json.dumps({"errorDetail": {"message": f"denied for {secrets[0]}"}, "error": f"denied for {secrets[0]}"})
    rack.traffic.fault("docker:nas", method="POST", path="/images/create", status=200, body=body)
    outcome = await rack.carry_out(change, within=0.1)
    assert "denied for •••" in str(outcome.error)
