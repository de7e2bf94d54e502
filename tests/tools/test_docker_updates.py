"""What there is to update: by digest at the registry, and unknown wherever that could not be compared."""

from typing import Any

import pytest

from tests.tools.conftest import Rack
from tools.docker.settings import Settings
from tools.kit.registries import offers


async def row(rack: Rack, name: str) -> Any:
    found = await rack.read("check_image_updates", container=await rack.id(name))
    [only] = found.images
    assert only.containers == [name]
    return only


def outdated(rack: Rack) -> tuple[str, str]:
    at = rack.world.story.update
    return at.host, at.name


async def test_what_is_offered_under_the_same_tag_is_told_by_its_digest(rack: Rack) -> None:
    host, name = outdated(rack)
    found = await rack.read("check_image_updates")
    assert f"{host}/{name}" in found.with_update and found.down == []
    [old] = [each for each in found.images if name in each.containers and each.host == host]
    assert (old.verdict, old.pulled) == ("new image", False) and old.here != old.offered
    rack.world.hosts[host].images.pull(old.image)
    again = await row(rack, name)
    assert (again.verdict, again.pulled) == ("new image", True), "it still runs the old one"
    assert {each.verdict for each in found.images} >= {"new image", "newer tag", "up to date"}
    asked = [r.path for r in rack.traffic.requests if r.service == "registry"]
    assert len(asked) > 10 and {r.method for r in rack.traffic.requests} <= {"GET", "HEAD"}


async def test_pinned_and_floating_tags_are_told_apart(rack: Rack) -> None:
    jellyfin, redis, kuma = [await row(rack, name) for name in ("jellyfin", "redis", "uptime-kuma")]
    assert jellyfin.kind == kuma.kind == "pinned" and redis.kind == "floating"
    assert jellyfin.newer == ["10.10.7", "10.9.12"] and kuma.newer == ["2.0.0", "1.23.16"]
    assert redis.newer == [], "8-alpine is another kind of tag"


async def test_a_limit_is_unknown_and_ends_the_asking(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.kit.http.LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(offers, "AT_ONCE", 1)
    rack.world.registries.left = 0
    found = await rack.read("check_image_updates")
    assert found.with_update == [] and not [each for each in found.images if each.verdict == "up to date"]
    assert {each.why for each in found.images} >= {"the registry asks to slow down"}
    assert len(found.unknown) == sum(len(each.containers) for each in found.images)
    refused = [r for r in rack.traffic.requests if r.status == 429]
    assert len(refused) <= 3 * len(rack.world.registries.names()), "each has said so once, with the usual patience"


async def test_what_cannot_be_compared_is_unknown(rack: Rack) -> None:
    host, container = rack.at("nas/jellyfin")
    image = host.images.get(container.config["Image"])
    image.digests.clear()
    assert (await row(rack, "jellyfin")).verdict == "newer tag", "that is known all the same"
    container.config["Image"] = "gitea/gitea:1.23.8"
    assert (await row(rack, "jellyfin")).why == "its digest here is not known"
    container.config["Image"] = image.id
    assert (await row(rack, "jellyfin")).why == "made from an image without a name"
    container.config["Image"] = "gitea/gitea:1.99.0"
    assert (await row(rack, "jellyfin")).why == "built here, no registry has it"
    for status, times, why in (
        (401, 1, "the registry wants a login"),
        (503, 3, "the registry does not answer in time"),
    ):
        rack.traffic.fault("registry", path="manifests", status=status, times=times)
        assert (await row(rack, "sonarr")).why == why
    rack.traffic.fault("registry", path="tags", body="<html>", status=200)
    assert (await row(rack, "uptime-kuma")).why == "the registry answered something else", "nobody knows what is newer"


async def test_the_containerd_store_has_the_digest_for_an_id(rack: Rack) -> None:
    host, container = rack.at("nas/sonarr")
    image, offered = host.images.get(container.config["Image"]), rack.world.registry[container.config["Image"]]
    image.digests.clear()
    del host.images.all[image.id]
    image.id = container.image_id = offered.digest
    host.images.all[image.id] = image
    assert (await row(rack, "sonarr")).verdict == "up to date"


async def test_each_name_is_asked_once_and_not_more_than_there_is_room_for(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "MOST_ASKED", 2)
    found = await rack.read("check_image_updates", running_only=False)
    heads = [r.path for r in rack.traffic.requests if r.method == "HEAD" and r.status == 200]
    assert len(heads) == len({*heads}) == 2
    assert sum(each.why == "too many images at once" for each in found.images) > 5


async def test_a_private_repository_takes_what_the_docker_command_keeps(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    rack.world.registries.private["paperless-ngx/paperless-ngx"] = ("me", "s3cret-of-ghcr")
    assert (await row(rack, "paperless")).why == "the registry wants a login"
    kept = {"username": "me", "password": "s3cret-of-ghcr"}
    monkeypatch.setattr(
        "tools.kit.registries.keyring.Keyring._find", lambda self, of: (kept if of == "ghcr.io" else {}, "")
    )
    await rack.reader.registries.close()  # what is kept is asked for anew
    assert (await row(rack, "paperless")).verdict != "unknown"


@pytest.mark.parametrize(
    "value", ["{", "[]", "https://x", '{"a": "ftp://x"}', '{"a": "http://u:p@x"}', '{"": "http://x"}']
)
def test_a_mirror_that_cannot_be_asked_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="docker_registries"):
        Settings(docker_registries=value)  # type: ignore[arg-type]
