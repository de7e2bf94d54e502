"""Stands before the simulated engines and reads the database at the moment a change arrives."""

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from lab.world import World
from tests.evil.reading import Row, reading

App = Callable[[Any, Any, Any], Awaitable[None]]
VERSION = re.compile(r"^/v[\d.]+")

STARTED = """SELECT calls.*, (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'epoch') AS now_epoch
    FROM calls WHERE state = 'started'"""


@dataclass(frozen=True)
class Mutation:
    """One request that may change an engine, and the journal row that it belongs to."""

    host: str
    method: str
    path: str
    query: dict[str, list[str]]
    call: str | None
    """The one started row that declares this request; None when there is none."""
    tainted: bool = False


@dataclass(frozen=True)
class Asked:
    """An engine asked for something that it fetches from elsewhere."""

    host: str
    image: str
    in_use: bool


class Witness:
    """Sees every request before the engine does."""

    def __init__(self, world: World, database: Path) -> None:
        self.world, self._database = world, database
        self.mutations: list[Mutation] = []
        self.registry: list[Asked] = []
        self._claimed: Counter[tuple[str, str, str]] = Counter()

    def before(self, host: str, app: App) -> App:
        """The engine's app behind this witness."""

        async def seen(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                path = VERSION.sub("", scope["path"])
                if scope["method"] not in ("GET", "HEAD"):
                    self.mutations.append(self._judge(host, scope["method"], path, scope["query_string"].decode()))
                elif found := re.fullmatch(r"/distribution/(.+)/json", path):
                    self.registry.append(Asked(host, found[1], self._in_use(host, found[1])))
            await app(scope, receive, send)

        return seen

    def _judge(self, host: str, method: str, path: str, query: str) -> Mutation:
        asked = parse_qs(query)
        for row in self._started():
            key = (row["id"], method, path)
            if (
                row["epoch"] == row["now_epoch"]
                and not self._claimed[key]
                and self._declares(row, host, method, path, asked)
            ):
                self._claimed[key] += 1
                return Mutation(host, method, path, asked, row["id"], bool(row["tainted"]))
        return Mutation(host, method, path, asked, None)

    def _started(self) -> list[Row]:
        with reading(self._database) as connection:
            return list(connection.execute(STARTED))

    def _declares(self, row: Row, host: str, method: str, path: str, asked: dict[str, list[str]]) -> bool:
        """Whether this row's tool, with these very arguments, makes this request."""
        args, before = json.loads(row["args"]), json.loads(row["before"])
        where, _, container = str(args.get("container", "")).partition("/")
        steps = {
            "docker_start_container": [f"POST /containers/{container}/start"],
            "docker_stop_container": [f"POST /containers/{container}/stop"],
            "docker_restart_container": [f"POST /containers/{container}/restart"],
            "docker_remove_container": [f"POST /containers/{container}/stop", f"DELETE /containers/{container}"],
            "docker_remove_image": [f"DELETE /images/{args.get('image')}"],
        }.get(row["tool"])
        if steps is not None:
            return f"{method} {path}" in steps and host == (where or before["all"]["host"])
        if host != before["all"].get("host"):
            return False
        if row["tool"] == "docker_pull_image":
            return (method, path) == ("POST", "/images/create") and self._same_image(args["image"], asked)
        if row["tool"] == "docker_update_container":
            return method == "POST" and self._changes_places(host, path, asked, container, before["all"])
        if row["tool"] == "docker_prune_system":
            return self._listed(method, path, before["all"])
        return row["tool"] == "docker_recreate_container" and self._made_again(host, method, path, asked, before["all"])

    def _changes_places(
        self, host: str, path: str, asked: dict[str, list[str]], old: str, facts: dict[str, Any]
    ) -> bool:
        """Whether it is a step of an update: its image, one container beside the old one, and these two alone."""
        name, beside = facts["name"], f"{facts['name']}.next-{old[:12]}"
        if path == "/images/create":
            return self._same_image(facts["image"], asked)
        if path == "/containers/create":
            return asked.get("name") == [beside]
        found = re.fullmatch(r"/containers/([0-9a-f]{64})/(rename|update|stop|start)", path)
        if found is None:
            return re.fullmatch(r"/networks/[^/]+/connect", path) is not None
        step, called = found[2], self.world.hosts[host].get(found[1]).name
        if found[1] == old:
            return step != "rename" or asked.get("name") == [f"{name}.before-{old[:12]}"]
        return called in (beside, name) and step in ("rename", "start") and asked.get("name", [name]) == [name]

    def _same_image(self, image: str, asked: dict[str, list[str]]) -> bool:
        name, tag = asked.get("fromImage", [""])[0], asked.get("tag", ["latest"])[0]
        meant = image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"
        return meant in (f"{name}:{tag}", f"{name}@{tag}") or ("@" in meant and meant.endswith(f"@{tag}"))

    def _listed(self, method: str, path: str, facts: dict[str, Any]) -> bool:
        """Whether a clean-up removes what it had listed, by its name or by the start of its id."""
        if (method, path) == ("POST", "/build/prune"):
            return float(facts["build_cache_mb"] or 0) > 0
        kind, _, ident = path.removeprefix("/").partition("/")
        if method != "DELETE" or kind not in ("containers", "images", "networks", "volumes"):
            return False
        ident = ident.removeprefix("sha256:")
        listed = [str(called).removeprefix("sha256:") for called in facts["also_called"]]
        return ident in listed or (re.fullmatch(r"[0-9a-f]{64}", ident) is not None and ident[:12] in listed)

    def _made_again(
        self, host: str, method: str, path: str, asked: dict[str, list[str]], facts: dict[str, Any]
    ) -> bool:
        if method != "POST":
            return False
        if path == "/containers/create":
            return asked.get("name") == [facts["name"]]
        found = re.fullmatch(r"/containers/([0-9a-f]{64})/start", path)
        if found:
            return bool(self.world.hosts[host].get(found[1]).name == facts["name"])
        return re.fullmatch(r"/networks/[^/]+/connect", path) is not None

    def _in_use(self, host: str, image: str) -> bool:
        repository = image.partition("@")[0]
        repository = repository.rpartition(":")[0] if ":" in repository.rpartition("/")[2] else repository
        names = [name for i in self.world.hosts[host].images.all.values() for name in (*i.tags, *i.digests)]
        return any(_plain(name.partition("@")[0]).startswith(_plain(repository)) for name in names)


def _plain(name: str) -> str:
    for prefix in ("docker.io/library/", "docker.io/", "library/"):
        name = name.removeprefix(prefix)
    return name
