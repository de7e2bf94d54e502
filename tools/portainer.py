"""Portainer: environments and their stacks, on one Portainer or on several."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, computed_field

from memory.secrets import complaint_without_secrets
from tools import kit
from tools.kit import Ident, Shown, at
from tools.kit.errors import tried
from tools.kit.masking import compose_file

DEPLOY_SECONDS = 600.0
"""Portainer answers when every image is pulled, on a slow line after minutes."""
LABELS = {"swarm": "com.docker.stack.namespace", "compose": "com.docker.compose.project"}
"""By which label Docker tells a stack's containers."""
DOCKER, SHORT = "/endpoints/{}/docker", len("sha256:") + 12
LAYERS = "What its containers keep on no volume is lost when they are made anew."
NO_RIGHTS = "This key sees no environment: in Portainer, give its user access to one, and to the stacks in it."


class Settings(kit.HttpSettings, env_prefix="PORTAINER_"):
    """Where the Portainers are."""

    url: kit.Addresses = {}
    """Its address, e.g. https://portainer.lan:9443; several with commas, or as {"name": "https://host"}. Empty: off."""
    api_key: kit.Secrets = {}
    """An access token of a user (My account, Access tokens); for several Portainers as {"name": "token"}."""


async def connect(link: kit.Link) -> kit.Instances[kit.Api]:
    """The Portainers of the settings."""
    apis = link.apis("Portainer", credential="api_key", headers=lambda key: {"X-API-Key": key}, base="/api")
    return kit.Instances("Portainer", apis)


service = kit.Service("portainer", area=kit.Area.INFRASTRUCTURE, settings=Settings, connect=connect, hosts=True)
Portainers = kit.Instances[kit.Api]
Ctx = kit.Context[Portainers]


def _word(*words: str) -> BeforeValidator:
    """Portainer's number for something, counted from 1, as a word; a number that nobody knows is not guessed at."""
    known = {key: word for number, word in enumerate(words, 1) for key in (str(number), word)}
    return BeforeValidator(lambda number: known.get(str(number), "unknown"))


KINDS = _word("docker", "agent", "azure", "edge-agent", "kubernetes", "kubernetes-agent", "kubernetes-edge-agent")
State = Literal["active", "inactive", "deploying", "failed", "unknown"]
Moment = Annotated[datetime | None, BeforeValidator(lambda stamp: stamp or None)]  # of never, it says 0

WITHOUT_LOGIN = BeforeValidator(lambda url: complaint_without_secrets(url) if isinstance(url, str) else url)


class Environment(kit.Result):
    """A Docker host or a cluster, as Portainer has it."""

    number: Annotated[int, at("Id")]
    name: Annotated[Ident, at("Name")]
    kind: Annotated[Ident, KINDS, at("Type")]
    status: Annotated[Ident, _word("up", "down"), at("Status")] = "unknown"
    heartbeat: Annotated[bool | None, at("Heartbeat")] = None
    checked_in: Annotated[Moment, at("LastCheckInDate")] = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def state(self) -> Literal["up", "down", "not checked in"]:
        """Whether it can be asked; what Portainer does not call up is not."""
        if self.kind.endswith("edge-agent"):  # it comes by itself, and Portainer cannot go to it
            return "up" if self.heartbeat else "not checked in"
        return "up" if self.status == "up" else "down"


class Row(kit.Result):
    """A stack in a line. Where its environment is not up, its state is what Portainer knew last."""

    number: Annotated[int, at("Id")]
    name: Annotated[Ident, at("Name")]
    place: Annotated[int, at("EndpointId")]
    environment: Ident = "gone"
    reached: bool = False
    kind: Annotated[Ident, _word("swarm", "compose", "kubernetes"), at("Type")]
    state: Annotated[State, _word("active", "inactive", "deploying", "failed"), at("Status")]
    git: Annotated[kit.Outside | None, WITHOUT_LOGIN, at("GitConfig", "URL")] = None
    """The repository that its file comes from; absent for one that was written into Portainer."""
    commit: Annotated[Ident, at("GitConfig", "ConfigHash")] = ""
    reference: Annotated[kit.Outside, at("GitConfig", "ReferenceName")] = ""
    updated: Annotated[Moment, at("UpdateDate")] = None


class Stack(Row):
    """The same with what a redeployment must send again: its variables hold secrets, it is never shown."""

    env: Annotated[list[dict[str, Any]] | None, at("Env")] = None
    login: Annotated[dict[str, Any] | None, at("GitConfig", "Authentication")] = None
    prune: Annotated[bool, at("Option", "Prune")] = False
    webhook: Annotated[str, at("Webhook")] = ""


class Inventory(kit.Result):
    """Environments and stacks of all Portainers, by their ids."""

    environments: dict[Ident, Environment]
    stacks: dict[Ident, Row] = {}
    down: list[kit.Down]
    note: kit.Own | None = None


async def _all(portainers: Portainers) -> Inventory:
    places, down = await portainers.each(
        lambda api: api.read(list[Environment], "/endpoints", params={"excludeSnapshots": True})
    )
    rows, silent = await portainers.each(lambda api: api.read(list[Row], "/stacks"), list(places))
    environments = {f"{name}/{one.number}": one for name, each in places.items() for one in each}
    stacks = {
        f"{name}/{one.number}": _placed(one, environments.get(f"{name}/{one.place}"))
        for name, each in rows.items()
        for one in each
    }
    note = None if environments or down else NO_RIGHTS
    return Inventory(environments=environments, stacks=stacks, down=[*down, *silent], note=note)


def _placed(row: Row, place: Environment | None) -> Row:
    named = {"environment": place.name, "reached": place.state == "up"} if place else {}
    return row.model_copy(update=named)


async def find_stack(portainers: Portainers, text: str) -> list[kit.Target]:
    """The stacks that a text may mean: by name, by `environment/name`, or by id."""
    return [
        kit.Target(id, one.name, one.environment, protected="" if one.state == "inactive" else LAYERS, aliases=(path,))
        for id, one in (await _all(portainers)).stacks.items()
        for path in [f"{one.environment}/{one.name}"]
        if text.casefold() in (id.casefold(), one.name.casefold(), path.casefold())
    ]


StackName = Annotated[
    str, kit.Field(max_length=255, description="A stack, by its name, environment/name or id."), kit.Resolve(find_stack)
]


@service.tool(kit.Risk.READ)
async def list_environments(ctx: Ctx) -> Inventory:
    """Every environment (Docker host or cluster) that Portainer manages, and whether it is up."""
    return (await _all(ctx.client)).model_copy(update={"stacks": {}})


@service.tool(kit.Risk.READ)
async def list_edge_agents(ctx: Ctx) -> Inventory:
    """Environments behind an edge agent, and when each checked in last; one that is late cannot be asked."""
    found = await _all(ctx.client)
    edge = {id: one for id, one in found.environments.items() if one.kind.endswith("edge-agent")}
    return found.model_copy(update={"environments": edge, "stacks": {}})


@service.tool(kit.Risk.READ)
async def list_stacks(ctx: Ctx) -> Inventory:
    """Every stack of Portainer with its environment and state; use it first for anything about stacks."""
    return await _all(ctx.client)


class Container(kit.Result):
    """A container of a stack, as Docker lists it."""

    id: Annotated[Ident, at("Id")]
    name: Annotated[Ident, BeforeValidator(lambda name: str(name).removeprefix("/")), at("Names", 0)]
    state: Annotated[Ident, at("State")]
    image: Annotated[Ident, at("Image")]
    image_id: Annotated[Ident, at("ImageID")]
    digest: Ident = "unknown"
    """Of the image that it runs, as registries know it."""


class Details(kit.Result):
    """A stack with what runs of it, and its file without secrets."""

    stack: Row
    containers: list[Container]
    silent: kit.Outside | None
    """Why its containers could not be read."""
    variables: list[kit.Outside]
    file: kit.Outside


@service.tool(kit.Risk.READ)
async def get_stack(ctx: Ctx, stack: StackName) -> Details:
    """One stack: its containers with images and digests, its file without secrets, and the names of its variables."""
    api, one = await _one(ctx.client, stack)
    containers = await tried(_containers(api, one))
    pairs = [f"{pair.get('name')}={pair.get('value')}" for pair in one.env or []]
    return Details(
        stack=Row(**one.model_dump(include=set(Row.model_fields))),
        containers=containers if isinstance(containers, list) else [],
        silent=str(containers) if isinstance(containers, kit.ToolFailed) else None,
        variables=[pair.partition("=")[0] for pair in pairs],
        file=compose_file(await _file(api, one), pairs),
    )


async def _one(portainers: Portainers, target: str) -> tuple[kit.Api, Stack]:
    """A stack and its Portainer. Raises ToolFailed."""
    api, ident = portainers.at(target)
    stack = await api.read(Stack, "/stacks/{}", ident)
    placed = _placed(stack, await api.read(Environment, "/endpoints/{}", stack.place))
    assert isinstance(placed, Stack)
    return api, placed


async def _file(api: kit.Api, stack: Stack) -> str:
    return await api.read(str, "/stacks/{}/file", stack.number, at=("StackFileContent",))


async def _containers(api: kit.Api, stack: Stack) -> list[Container]:
    """What there is of a stack, by its environment's Docker. Raises ToolFailed where that cannot be asked."""
    if stack.kind not in LABELS:
        raise kit.Conflict(f"{stack.name} is no Docker stack: look at it in Portainer.")
    if not stack.reached:
        raise kit.Conflict(f"The environment {stack.environment} is not up: bring it back first.")
    label = json.dumps({"label": [f"{LABELS[stack.kind]}={stack.name}"]})
    path, place = f"{DOCKER}/containers/json", stack.place
    rows = await api.read(list[Container], path, place, params={"all": True, "filters": label})
    found = []
    for row in sorted(rows, key=lambda row: row.name):
        image = row.image
        if image.startswith("sha256:"):  # its tag is another image's by now: only the container still knows it
            path = f"{DOCKER}/containers/{{}}/json"
            image = await api.read(str, path, place, row.id, at=("Config", "Image"))
        path = f"{DOCKER}/images/{{}}/json"
        known = await kit.or_else(api.read(list[str], path, place, row.image_id, at=("RepoDigests",)), [])
        digests = dict(digest.split("@", 1) for digest in known if "@" in digest)
        digest = digests.get(re.sub(r"(@.*|:[^/:]*)$", "", image)) or next(iter(digests.values()), "unknown")
        found.append(row.model_copy(update={"image": image, "digest": digest[:SHORT]}))
    return found


class StackFacts(kit.Facts):
    """What starting and stopping rest on."""

    name: Shown[Ident]
    environment: Shown[Ident]
    state: Shown[State]
    running: Shown[list[Ident]]


def _said(stack: Stack, containers: list[Container]) -> dict[str, Any]:
    running = [one.name for one in containers if one.state == "running"]
    return {"name": stack.name, "environment": stack.environment, "state": stack.state, "running": running}


async def _facts(portainers: Portainers, stack: str) -> StackFacts:
    api, one = await _one(portainers, stack)
    return StackFacts(**_said(one, await _containers(api, one)))


async def _turned(ctx: Ctx, stack: str, on: bool, back: Callable[[], kit.Call]) -> kit.Change[StackFacts]:
    facts, states = await ctx.read(_facts, stack), ("inactive", "active")

    async def do(portainers: Portainers) -> None:
        api, one = await _one(portainers, stack)
        path, where = f"/stacks/{{}}/{'start' if on else 'stop'}", {"endpointId": one.place}
        await api.send("POST", path, one.number, params=where, deadline=DEPLOY_SECONDS)

    return kit.Change(
        f"{'Start' if on else 'Stop'} {facts.name}",
        facts=facts,
        do=do,
        expect=lambda before, after: after.state == states[on] and bool(after.running) is on,
        undo=lambda before, _: back() if before.state == states[not on] else None,
        notes=() if on else ("Its containers are removed; Undo makes them anew, on the same volumes.",),
        deadline=DEPLOY_SECONDS + 20,
    )


@service.tool(kit.Risk.CHANGE, undo="stop it again")
async def start_stack(ctx: Ctx, stack: StackName) -> kit.Change[StackFacts]:
    """Start a stack that is stopped: its containers are made anew from its file."""
    return await _turned(ctx, stack, True, lambda: stop_stack.call(stack=stack))


@service.tool(kit.Risk.CHANGE, undo="start it again")
async def stop_stack(ctx: Ctx, stack: StackName) -> kit.Change[StackFacts]:
    """Stop a stack: its containers are removed; its volumes, images and file stay."""
    return await _turned(ctx, stack, False, lambda: start_stack.call(stack=stack))


class RedeployFacts(StackFacts):
    """What a redeployment rests on: what runs, by image, and what a pull would bring."""

    file: Shown[Ident]
    """A fingerprint of the file as Portainer has it."""
    runs: Shown[dict[Ident, Ident]]
    brings: Shown[dict[Ident, Ident]]
    """The registry's digest where it is another one than what runs."""
    not_known: Shown[list[Ident]]
    """Images of which nobody can tell what a pull brings."""
    git: bool
    updated: datetime | None


async def _redeploy_facts(portainers: Portainers, stack: str) -> RedeployFacts:
    api, one = await _one(portainers, stack)
    containers, text = await _containers(api, one), await _file(api, one)
    runs: dict[str, str] = {}
    for each in containers:
        runs[each.image] = each.digest if runs.get(each.image, each.digest) == each.digest else "several"
    offers = {image: await _offer(api, one.place, image) for image in runs if "@" not in image}
    return RedeployFacts(
        **_said(one, containers),
        file=hashlib.sha256(text.encode()).hexdigest()[:12],
        runs=runs,
        brings={image: offer for image, offer in offers.items() if offer not in ("", runs[image])},
        not_known=[image for image, offer in offers.items() if not offer],
        git=one.git is not None,
        updated=one.updated,
    )


async def _offer(api: kit.Api, place: int, image: str) -> str:
    """The digest that a pull would bring, asked through the environment's Docker; empty where that cannot tell."""
    parts = image.split("/")
    path = f"{DOCKER}/distribution/{'/'.join('{}' for _ in parts)}/json"
    return (await kit.or_else(api.read(str, path, place, *parts, at=("Descriptor", "digest")), ""))[:SHORT]


async def _redeploy(portainers: Portainers, target: str) -> None:
    """Portainer replaces what a redeployment does not send: all of it goes along as it is."""
    api, one = await _one(portainers, target)
    body: dict[str, Any] = {"Env": one.env or [], "Prune": one.prune}
    body |= {"PullImage": True, "RepullImageAndRedeploy": True}  # up to Portainer 2.35, and since
    if one.git is None:
        body |= {"StackFileContent": await _file(api, one)}
        body |= {"Webhook": one.webhook} if one.webhook else {}
    else:
        body |= {"RepositoryReferenceName": one.reference, "RepositoryAuthentication": bool(one.login)}
        body |= {"RepositoryUsername": one.login.get("Username", "")} if one.login else {}
    path = "/stacks/{}" if one.git is None else "/stacks/{}/git/redeploy"
    await api.send("PUT", path, one.number, json=body, params={"endpointId": one.place}, deadline=DEPLOY_SECONDS)


def _redeployed(before: RedeployFacts, after: RedeployFacts) -> bool:
    """Whether Portainer has deployed since, and what runs is what was on the card; another commit may run less."""
    newer = after.updated is not None and (before.updated is None or after.updated > before.updated)
    brought = [after.runs.get(image, digest * before.git) == digest for image, digest in before.brings.items()]
    enough = len(after.running) >= (1 if before.git else max(1, len(before.running)))
    return newer and after.state == "active" and all(brought) and enough


@service.tool(kit.Risk.CHANGE)
async def redeploy_stack(ctx: Ctx, stack: StackName) -> kit.Change[RedeployFacts]:
    """Pull a stack's images and deploy its file anew, from git with its newest commit; a stopped one is started."""
    facts = await ctx.read(_redeploy_facts, stack)
    return kit.Change(
        f"Redeploy {facts.name}",
        facts=facts,
        do=lambda portainers: _redeploy(portainers, stack),
        expect=_redeployed,
        notes=(
            "There is no undo: a tag that has moved on does not come back.",
            *["It takes the newest commit: what that changes cannot be told before."] * facts.git,
            *["Nothing of it is there now, so which images this brings cannot be told."] * (not facts.runs),
        ),
        within=60.0,
        deadline=DEPLOY_SECONDS + 20,
    )


@service.glance
async def glance(ctx: Ctx) -> kit.Glance:
    """How many environments are up and stacks active, and what needs a person."""
    found = await _all(ctx.client)
    places, stacks = found.environments.values(), found.stacks.values()
    troubles = [one.trouble("portainer") for one in found.down]
    troubles += [kit.Trouble(one.name, "environment", one.state) for one in places if one.state != "up"]
    troubles += [kit.Trouble(one.name, one.environment, "failed") for one in stacks if one.state == "failed"]
    off = [kit.Note(one.name, one.environment, "stopped") for one in stacks if one.state == "inactive"]
    up, active = sum(one.state == "up" for one in places), sum(one.state == "active" for one in stacks)
    summary = f"{up} of {kit.counted(len(places), 'environment')} up, {active} of {len(stacks)} stacks active"
    return kit.Glance(summary, tuple(troubles), {f"{s.environment}/{s.name}": s.state for s in stacks}, tuple(off))


@service.page("stacks", verbs=(start_stack, stop_stack, redeploy_stack), looks=(get_stack,))
async def page(ctx: Ctx) -> kit.Page:
    """The stacks of Portainer and how they are, environment by environment."""
    found, rows = await _all(ctx.client), list[kit.Row]()
    dots: dict[str, kit.Dot] = {"active": "🟢", "inactive": "⚪", "failed": "🔴"}
    for id, one in found.stacks.items():
        dot = dots.get(one.state, "🟡") if one.reached else "🔴"
        how = f"{one.state} · from {'git' if one.git else 'a file'}" if one.reached else "its environment is not up"
        verbs = (start_stack if one.state == "inactive" else stop_stack, redeploy_stack) if one.reached else ()
        rows.append(kit.Row(dot, one.name, one.environment, how, id, verbs=verbs))
    title = f"{sum(row.dot == '🟢' for row in rows)} of {kit.counted(len(rows), 'stack')} active"
    lines, down = [found.note or ""][: bool(found.note)], {one.name: one.reason for one in found.down}
    return kit.Page(title, rows, lines, down, bool(down))
