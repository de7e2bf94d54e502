"""The simulated Docker Engine's answers against the official description of the API."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.server import serve
from lab.services.docker.app import docker_app
from lab.world import World

SPEC = Path(__file__).parents[3] / "shared" / "specs" / "docker.json"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    world = World(3)
    world.latency = 0
    server = await serve(docker_app(world, "nas"))
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        yield client
    await server.stop()


@pytest.mark.skipif(not SPEC.exists(), reason="the official API description is not on this machine")
@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/containers/json?all=1&size=1", "/containers/json"),
        ("/containers/jellyfin/json?size=1", "/containers/{id}/json"),
        ("/containers/borg-backup/json", "/containers/{id}/json"),
        ("/containers/jellyfin/stats?stream=false", "/containers/{id}/stats"),
        ("/containers/borg-backup/stats?stream=false", "/containers/{id}/stats"),
        ("/containers/jellyfin/top", "/containers/{id}/top"),
        ("/images/json", "/images/json"),
        ("/images/redis:7.4-alpine/json", "/images/{name}/json"),
        ("/images/redis:7.4-alpine/history", "/images/{name}/history"),
        ("/volumes", "/volumes"),
        ("/volumes/forge_gitea", "/volumes/{name}"),
        ("/networks", "/networks"),
        ("/networks/media_default", "/networks/{id}"),
        ("/info", "/info"),
        ("/version", "/version"),
    ],
)
async def test_answers_have_the_official_shape(http: httpx.AsyncClient, path: str, operation: str) -> None:
    spec = json.loads(await asyncio.to_thread(SPEC.read_text))
    content = spec["paths"][operation]["get"]["responses"]["200"]["content"]["application/json"]
    problems = list(mismatches((await http.get(path)).json(), content["schema"], ""))
    assert problems == []


TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def mismatches(value: Any, schema: dict[str, Any], where: str) -> list[str]:
    """Where a value departs from a schema: types, required fields, enumerations, and all that is inside.

    Go writes an empty list or map as null, so null passes everywhere.
    """
    if value is None:
        return []
    found = [problem for part in schema.get("allOf", []) for problem in mismatches(value, part, where)]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not isinstance(value, sum((TYPES[kind] for kind in kinds), ())):
        return [*found, f"{where} is {type(value).__name__}, not {kinds}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is {value!r}, not one of {schema['enum']}")
    if isinstance(value, dict):
        found += [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, part in schema.get("properties", {}).items():
            found += mismatches(value.get(name), part, f"{where}.{name}")
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for number, item in enumerate(value):
            found += mismatches(item, schema["items"], f"{where}[{number}]")
    return found
