"""What would break for everyone always asks, and the card says what: the bot itself, DNS, the doors, the way in."""

from typing import Any

import pytest

from tests.tools.conftest import Rack
from tools.docker.names import find_container, lifeline, own_container_id

DNS, DOOR, WAY_IN = "it answers DNS", "it is the door", "you may be reaching this network"


async def protection(rack: Rack, name: str) -> str:
    [target] = await find_container(rack.reader, name)
    return target.protected


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("pihole/pihole:2024.07.0", DNS), ("adguard/adguardhome", DNS), ("mvance/unbound:1.20", DNS),
        ("ghcr.io/0xerr0r/blocky:v0.24", DNS), ("traefik:v3.1", DOOR), ("jc21/nginx-proxy-manager:2", DOOR),
        ("caddy:2", DOOR), ("haproxytech/haproxy-alpine", DOOR), ("registry.lan:5000/x/traefik@sha256:0", DOOR),
        ("tailscale/tailscale", WAY_IN), ("lscr.io/linuxserver/wireguard", WAY_IN), ("wg-easy/wg-easy", WAY_IN),
        ("cloudflare/cloudflared:latest", WAY_IN), ("qmcgaw/gluetun", WAY_IN),
        ("tecnativa/docker-socket-proxy", "this bot may be reaching Docker"),
        ("jellyfin/jellyfin:10.9", ""), ("traefik.lan:5000/jellyfin", ""), ("swaggerapi/swagger-ui", ""),
    ],
)  # fmt: skip
def test_by_its_image(image: str, reason: str) -> None:
    assert lifeline({"Image": image}).startswith(reason) and bool(lifeline({"Image": image})) is bool(reason)


@pytest.mark.parametrize(
    ("port", "kind", "reason"),
    [(53, "udp", DNS), (53, "tcp", DNS), (443, "tcp", "it answers on port 443"), (51820, "udp", WAY_IN),
     (1194, "udp", WAY_IN), (8096, "tcp", ""), (51820, "tcp", ""), (None, "udp", "")],
)  # fmt: skip
def test_by_what_the_host_publishes(port: int | None, kind: str, reason: str) -> None:
    item: dict[str, Any] = {"Image": "own/thing", "Ports": [{"PrivatePort": 53, "PublicPort": port, "Type": kind}]}
    assert lifeline(item).startswith(reason) and bool(lifeline(item)) is bool(reason)


async def test_in_the_rack(rack: Rack) -> None:
    assert (await protection(rack, "mini/pihole")).startswith(DNS)
    assert (await protection(rack, "mini/traefik")).startswith(DOOR)
    assert await protection(rack, "jellyfin") == ""
    _, redis = rack.at("nas/redis")
    redis.host_config["PortBindings"] = {"53/udp": [{"HostPort": "53"}]}
    assert (await protection(rack, "redis")).startswith(DNS), "a name server by any other name"


async def test_the_container_that_lends_the_bot_its_network(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bot = rack.at("nas/sonarr")
    _, lender = rack.at("nas/redis")
    bot.host_config["NetworkMode"] = f"container:{lender.id}"
    assert await protection(rack, "redis") == ""
    monkeypatch.setattr("tools.docker.names.own_container_id", lambda: bot.id)
    assert await protection(rack, "redis") == "this bot's own network goes through it"
    assert await protection(rack, "sonarr") == "this bot runs in it"
    assert await protection(rack, "postgres") == ""


@pytest.mark.parametrize("tool", ["stop_container", "remove_container"])
async def test_nobody_is_left_to_undo_the_end_of_the_bot(
    rack: Rack, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    plain = await rack.read(tool, container=await rack.id("redis"))
    assert plain.undo is not None and not any("This bot runs in it" in note for note in plain.notes)
    monkeypatch.setattr("tools.docker.names.own_container_id", lambda: rack.at("nas/redis")[1].id)
    change = await rack.read(tool, container=await rack.id("redis"))
    assert change.undo is None and change.net is None
    assert any("falls silent for good" in note and "nobody is left to undo" in note for note in change.notes)
    restart = await rack.read("restart_container", container=await rack.id("redis"))
    assert any("reports when it is back" in note for note in restart.notes)


async def test_the_bot_is_never_among_the_rubbish(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bot = rack.at("nas/immich-import")
    asked = {"host": "nas", "kinds": ("stopped_containers",)}
    [piece] = (await rack.read("prune_system", **asked)).facts.stopped_containers
    assert piece.name == bot.name
    monkeypatch.setattr("tools.docker.names.own_container_id", lambda: bot.id[:12])
    assert (await rack.read("prune_system", **asked)).facts.stopped_containers == ()


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("cgroup", "12:cpu:/docker/{id}"),
        ("cgroup", "0::/system.slice/docker-{id}.scope"),
        ("cgroup", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope"),
        ("cgroup", "0::/docker/{id}\n1:name=systemd:/docker/{id}"),
        ("mountinfo", "1 2 0:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda rw"),
        ("mountinfo", "1 2 0:1 /volume1/@docker/containers/{id}/hosts /etc/hosts rw - btrfs /dev/md2 rw"),
        ("mountinfo", "1 2 0:1 /containers/storage/overlay-containers/{id}/userdata/hostname /etc/hostname rw"),
    ],
)
def test_where_the_bot_finds_its_own_id(tmp_path: Any, file: str, line: str) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / file).write_text(line.replace("{id}", "a1" * 32) + "\n")
    assert own_container_id(tmp_path, "rackhand") == "a1" * 32


@pytest.mark.parametrize("line", ["1 2 0:1 /var/lib/docker/containers/{id}/x /srv/other rw", "0::/init.scope"])
def test_a_mount_that_is_not_its_own_is_not_taken_for_it(tmp_path: Any, line: str) -> None:
    (tmp_path / "mountinfo").write_text(line.replace("{id}", "a1" * 32) + "\n")
    assert own_container_id(tmp_path, "rackhand") == ""
