"""UPS: what keeps the power up, by Network UPS Tools (NUT), on one server or several."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from tools import kit
from tools.kit.answers import fitted
from tools.kit.nut import Server, Silent
from tools.kit.settings import AddressSettings, Each, NutAddresses

PORT = 3493
TEST = "test.battery.start.quick"
Test = Literal["passed", "with a warning", "failed", "aborted", "running", "none", "unclear"]
RESULTS: dict[str, Test] = {
    "pass": "passed", "warn": "with a warning", "err": "failed", "fail": "failed", "abort": "aborted",
    "progress": "running", "no test": "none",
}  # fmt: skip
State = Literal["on mains", "on battery", "battery low", "off", "not heard from"]


class Settings(AddressSettings, env_prefix="UPS_"):
    """Where the UPS servers are."""

    url: NutAddresses = {}
    """Its NUT server, e.g. nut://192.0.2.10 for all its UPSes, nut://192.0.2.10/ups for one; several with commas."""
    username: Each = {}
    """Its user in upsd.users, for battery tests; looking needs none."""
    password: kit.Secrets = {}
    """The password of that user."""


async def connect(link: kit.Link) -> kit.Instances[Server]:
    """The servers of the settings."""
    made = {}
    for name, address in link.settings.url.items():
        url, title = urlsplit(address), f"The UPS server {name}" if len(link.settings.url) > 1 else "The UPS server"
        made[name] = Server(title, url.hostname, url.port or PORT, access=link.access, breaker=link.breaker(name))
        made[name].only = url.path.strip("/")
        made[name].user, made[name].password = (link.settings.secret(field, name) for field in ("username", "password"))
    return kit.Instances("UPS server", made)


service = kit.Service("ups", area=kit.Area.INFRASTRUCTURE, settings=Settings, connect=connect, hosts=True)
Servers = kit.Instances[Server]


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _result(text: Any) -> str:
    """`Done and passed` and the like, as the drivers write it."""
    return next((word for mark, word in RESULTS.items() if mark in str(text).lower()), "unclear")


Number = Annotated[float | None, BeforeValidator(_number)]


class Ups(kit.Result):
    """A UPS; what it does not tell is absent."""

    state: State = "not heard from"
    replace_battery: bool = False
    trouble: kit.Own | None = None
    load_percent: Annotated[Number, kit.at("ups.load")] = None
    charge_percent: Annotated[Number, kit.at("battery.charge")] = None
    runtime_s: Annotated[Number, kit.at("battery.runtime")] = None
    battery_since: Annotated[kit.Outside | None, kit.at("battery.date")] = None
    """When its battery was made or put in, as the UPS writes it."""
    last_test: Annotated[Test, BeforeValidator(_result), kit.at("ups.test.result")] = "none"
    model: Annotated[kit.Outside | None, kit.at("ups.model")] = None


async def _ups(server: Server, name: str) -> Ups:
    try:
        told = await server.variables(name)
    except Silent as error:
        return Ups(trouble=str(error))
    told["battery.date"] = told.get("battery.date") or told.get("battery.mfr.date") or ""
    flags, found = told.get("ups.status", "").split(), fitted(Ups, {key: text for key, text in told.items() if text})
    states: dict[str, State] = {"LB": "battery low", "OB": "on battery", "OFF": "off", "OL": "on mains"}
    known = [flag for flag in states if flag in flags and (flag != "LB" or "OB" in flags)]  # low may be what charges
    state = states[known[0]] if known else found.state
    return found.model_copy(update={"state": state, "replace_battery": "RB" in flags})  # type: ignore[no-any-return]


async def _every(servers: Servers) -> tuple[dict[str, Ups], list[kit.Down]]:
    async def of(server: Server) -> dict[str, Ups]:
        return {name: await _ups(server, name) for name in await server.names()}

    found, down = await servers.each(of)
    return {f"{server}/{name}": ups for server, each in found.items() for name, ups in each.items()}, down


async def find_ups(servers: Servers, text: str) -> list[kit.Target]:
    """The UPSes that a text may mean, by name or id."""
    found, _ = await servers.each(lambda server: server.names())
    ids = [(f"{server}/{name}", name) for server, names in found.items() for name in names]
    return [kit.Target(id_, name, id_.partition("/")[0]) for id_, name in ids if text in (id_, name)]


UpsName = Annotated[str, kit.Field(max_length=128, description="A UPS, by its name or id."), kit.Resolve(find_ups)]


@service.tool(kit.Risk.READ)
async def list_ups(ctx: kit.Context[Servers]) -> kit.Answers[Ups]:
    """Every UPS: on mains or on battery, load, charge, runtime; "not heard from" when its cable or driver is gone."""
    found, down = await _every(ctx.client)
    return kit.Answers(found=found, down=down)


@service.tool(kit.Risk.READ, often=True)
async def get_ups(ctx: kit.Context[Servers], ups: UpsName) -> Ups:
    """A UPS: load, charge, seconds that it would last, age of the battery, the last test."""
    server, name = ctx.client.at(ups)
    return await _ups(server, name)


class Tested(kit.Facts):
    """What a battery test rests on."""

    state: kit.Shown[State]
    charge_percent: Annotated[kit.Shown[float | None], kit.Tolerance(5)]
    last_test: kit.Shown[Test]


async def _tested(servers: Servers, ups: str) -> Tested:
    server, name = servers.at(ups)
    found = await _ups(server, name)
    return Tested(state=found.state, charge_percent=found.charge_percent, last_test=found.last_test)


@service.tool(kit.Risk.CHANGE, word="test")
async def run_ups_test(ctx: kit.Context[Servers], ups: UpsName) -> kit.Change[Tested]:
    """Have a UPS carry its load from the battery for some seconds, to see whether the battery still can."""
    facts = await ctx.read(_tested, ups)
    if facts.state != "on mains":
        raise kit.Conflict(f"{ups} is {facts.state}: it is tested when it is on mains.")
    return kit.Change(
        f"Test the battery of {ups}",
        facts=facts,
        do=lambda servers: servers.at(ups)[0].command(servers.at(ups)[1], TEST),
        expect=lambda before, after: after.last_test != before.last_test,
        notes=("Its load runs from the battery for some seconds: with a dead battery, it goes dark.",),
        within=60.0,
    )


@service.glance
async def glance(ctx: kit.Context[Servers]) -> kit.Glance:
    """Which UPSes are on mains, and which are not, or want a new battery."""
    found, down = await _every(ctx.client)
    why = {name: ups.trouble or ups.state for name, ups in found.items() if ups.state != "on mains"}
    why |= {name: "wants a new battery" for name, ups in found.items() if ups.replace_battery and name not in why}
    troubles = [one.trouble("ups") for one in down]
    troubles += [kit.Trouble(name, "ups", words, target=name) for name, words in why.items()]
    well = sum(ups.state == "on mains" for ups in found.values())
    return kit.Glance(f"{well} of {len(found)} UPSes on mains", tuple(troubles), {n: u.state for n, u in found.items()})
