"""UPS: what the generated tests need to know of it, what is special about it, and a real NUT server."""

import asyncio
import contextlib
import getpass
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.server import LineServer
from lab.services.ups import UpsServer
from memory.models import CallRow
from tests.fakes import use
from tests.generated.stages import Args, Move, Stage
from tests.house import ADMIN
from tests.place import Place
from tools.kit import Access, Conflict, Context, Glance, NoAnswer, OutcomeUnknown, ToolFailed, Unreachable
from tools.kit.nut import Server, Silent
from tools.ups import Settings, Ups, get_ups, list_ups, run_ups_test, service


def twin(place: Place) -> UpsServer:
    found = place.lab.twins["ups"]
    assert isinstance(found, UpsServer)
    return found


def says(**variables: str) -> Move:
    named = {name.replace("_", "."): value for name, value in variables.items() if name != "stale"}
    stale = {"stale": variables["stale"]} if "stale" in variables else {}
    return lambda place: twin(place).upses.change("rack", **named, **stale)


STAGES: dict[str, Stage | Args] = {
    "ups_run_ups_test": Stage(
        {"ups": "rack"},
        {
            "state": says(ups_status="OB DISCHRG"),
            "charge_percent": says(battery_charge="40"),
            "last_test": says(ups_test_result="Done and error"),
        },
    ),
    "ups_get_ups": {"ups": "rack"},
}


async def tested(place: Place) -> CallRow:
    await place.ask(use("ups_run_ups_test", ups="rack"))
    await place.approve()
    return await place.call()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("OL CHRG", "on mains"), ("OL CHRG LB", "on mains"), ("OB DISCHRG", "on battery"),
        ("OB LB", "battery low"), ("OFF", "off"), ("", "not heard from"),
    ],
)  # fmt: skip
async def test_what_carries_the_load_is_said(place: Place, status: str, state: str) -> None:
    says(ups_status=status)(place)
    assert f'"state":"{state}"' in await place.read("ups_get_ups", ups="rack")


@pytest.mark.parametrize("error", ["DATA-STALE", "DRIVER-NOT-CONNECTED"])
async def test_an_unplugged_one_says_to_look_at_its_cable_and_hides_no_other(place: Place, error: str) -> None:
    says(stale=error)(place)
    told = await place.read("ups_list_ups")
    assert (
        '"rack/rack":{"state":"not heard from"' in told
        and "cable" in told
        and '"rack/attic":{"state":"on mains"' in told
    )
    glance = (await place.core.proposals.reads.glances(ADMIN))["ups"]
    assert isinstance(glance, Glance) and glance.summary == "1 of 2 UPSes on mains"
    assert "cable" in glance.troubles[0].detail and glance.troubles[0].red


async def test_a_battery_that_wants_to_be_replaced_is_trouble(place: Place) -> None:
    says(ups_status="OL RB")(place)
    glance = (await place.core.proposals.reads.glances(ADMIN))["ups"]
    assert isinstance(glance, Glance) and glance.troubles[0].detail == "wants a new battery"


async def test_on_battery_nothing_is_tested(place: Place) -> None:
    says(ups_status="OB DISCHRG")(place)
    run = await place.ask(use("ups_run_ups_test", ups="rack"))
    assert "is on battery: it is tested when it is on mains" in str(await place.results(run))


async def test_a_test_needs_a_user_and_its_password_is_not_told(place: Place) -> None:
    twin(place).password = "another"
    row = await tested(place)
    assert row.state == "failed" and "instcmds" in row.detail
    await place.again(UPS_USERNAME="")
    assert "Set UPS_USERNAME and UPS_PASSWORD" in (await tested(place)).detail


async def test_an_answer_that_is_lost_after_the_order_is_unknown(place: Place) -> None:
    place.lab.traffic.fault("ups", path="^rack test", drop_after=True)
    assert (await tested(place)).state == "unknown"


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("ERR VAR-NOT-SUPPORTED\n", ToolFailed, "VAR-NOT-SUPPORTED"),
        ('BEGIN LIST VAR rack\nVAR rack x "unended\n', ToolFailed, "does not end"),
        ("BEGIN LIST VAR rack\n" + "x" * 300_000 + "\n", ToolFailed, "more than anyone can read"),
        ("BEGIN LIST VAR rack\n" + "x\n" * 200_000, ToolFailed, "more than anyone can read"),
    ],
)
async def test_nonsense_is_named(place: Place, said: str, error: type[Exception], words: str) -> None:
    place.lab.traffic.fault("ups", path="^VAR rack", body=said, times=None)
    assert words in await place.read("ups_get_ups", ups="rack")


async def test_numbers_that_are_none_are_absent(place: Place) -> None:
    says(ups_load="n/a", battery_runtime="-")(place)
    told = await place.read("ups_get_ups", ups="rack")
    assert "load_percent" not in told and '"charge_percent":97' in told


async def test_a_server_that_is_gone_or_silent_is_not_a_ups_that_is(place: Place) -> None:
    place.lab.traffic.fault("ups", path="^UPS$", drop=True, times=None)
    told = await place.read("ups_list_ups")
    assert '"found":{}' in told and "was lost" in told
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match="refused"):
            await Server("UPS", "127.0.0.1", taken.getsockname()[1], access=Access.READ).names()


async def test_a_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.kit.lines.DEADLINE", 0.05)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.read()

    listener = await LineServer(silent).start()
    server = Server("UPS", "127.0.0.1", int(listener.url.rpartition(":")[2]), access=Access.WRITE)
    server.user = server.password = "x"
    with pytest.raises(NoAnswer):
        await server.names()
    with pytest.raises(OutcomeUnknown):
        await server.command("rack", "test.battery.start.quick")
    await listener.stop()


def test_the_address_is_nut_and_may_name_one_ups() -> None:
    settings = Settings(_env_file=None, url="nut://nas/rack,nut://attic:3500")
    assert settings.url == {"nas": "nut://nas/rack", "attic": "nut://attic:3500"}
    for wrong in ("http://nas", "nut://user:pw@nas", "nas"):
        with pytest.raises(ValueError, match="nut://host:port|credential"):
            Settings(_env_file=None, url=wrong)


# -- a real one -------------------------------------------------------------------------------------------------------

UPSD, DUMMY = Path("/lib/nut/upsd"), Path("/lib/nut/dummy-ups")
WELL = 'ups.status: OL\nups.load: 17\nbattery.charge: 88\nbattery.runtime: 1200\nbattery.date: "2022/05/01"\n'


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[tuple[Server, Any]]:
    """upsd with a dummy UPS; its driver's process, to end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = {
        "nut.conf": "MODE=standalone\n",
        "ups.conf": f"pollinterval = 1\n[desk]\n  driver = dummy-ups\n  port = {tmp_path}/desk.dev\n  desc = a desk\n",
        "upsd.conf": f"LISTEN 127.0.0.1 {port}\n",
        "upsd.users": "[rackhand]\n  password = s3cret\n  instcmds = ALL\n",
        "desk.dev": WELL,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    place = {
        **os.environ,
        "NUT_CONFPATH": str(tmp_path),
        "NUT_STATEPATH": str(tmp_path),
        "NUT_ALTPIDPATH": str(tmp_path),
    }
    user = ["-u", getpass.getuser()]
    driver = await asyncio.create_subprocess_exec(str(DUMMY), "-a", "desk", "-F", *user, env=place)
    await asyncio.sleep(1)
    upsd = await asyncio.create_subprocess_exec(str(UPSD), "-F", *user, env=place)
    server = Server("UPS", "127.0.0.1", port, access=Access.WRITE)
    server.user, server.password = "rackhand", "s3cret"
    try:
        for _ in range(50):
            try:
                if (await server.variables("desk"))["ups.status"] == "OL":
                    break
            except (ToolFailed, KeyError):
                pass
            await asyncio.sleep(0.2)
        yield server, driver
    finally:
        for process in (upsd, driver):
            if process.returncode is None:
                process.terminate()
                await process.wait()


@pytest.mark.engine
@pytest.mark.skipif(not (UPSD.exists() and DUMMY.exists()), reason="needs nut-server")
async def test_a_real_server_is_understood(real: tuple[Server, Any]) -> None:
    from tools.kit import Instances

    server, driver = real
    ctx: Context[Any] = Context(Instances("UPS server", {"nas": server}))
    found: Ups = (await list_ups.run(ctx)).found["nas/desk"]
    assert (found.state, found.load_percent, found.charge_percent, found.runtime_s) == ("on mains", 17, 88, 1200)
    assert found == await get_ups.run(ctx, "nas/desk")
    change = await run_ups_test.run(ctx, "nas/desk")
    with pytest.raises(Conflict, match="cannot do this"):
        await change.do(ctx.client)
    driver.terminate()
    await driver.wait()
    await asyncio.sleep(1)
    with pytest.raises(Silent, match="cable"):
        await server.variables("desk")
    assert (await get_ups.run(ctx, "nas/desk")).state == "not heard from" and service.name == "ups"
