"""proxmoxer over a session of ours: what is sent, which errors come of what, and how a task is followed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.kit import Answer, Asked, api
from lab.server import serve
from lab.traffic import Traffic
from tools.kit import (
    Access,
    BadAnswer,
    Broken,
    Conflict,
    Done,
    Gone,
    OutcomeUnknown,
    Refused,
    ToolFailed,
    Unauthorised,
    Unreachable,
)
from tools.kit import proxmox as kit
from tools.kit.proxmox import Proxmox, TokenSettings
from tools.kit.transport import WriteRefused

UPID = "UPID:pve1:0000C0DE:00BEEF00:68F00000:qmstart:104:rackhand@pve!bot:"
TOKEN = "0c0ffee0-0000-4000-8000-000000000001"


@dataclass
class Bench:
    """A server of few paths, and clients to it."""

    url: str
    traffic: Traffic
    asked: list[Asked]

    def client(self, access: Access = Access.READ, *urls: str, product: Any = "PVE") -> Proxmox:
        settings = TokenSettings(url=",".join([*urls, self.url]), token_id="rackhand@pve!bot", token_secret=TOKEN)
        return Proxmox("Proxmox VE", product, list(settings.places()), settings, access)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(kit, "LOOK_SECONDS", 0.0)
    asked: list[Asked] = []
    looks = iter(["running", "running", "stopped"])

    def status(one: Asked) -> Any:
        return {"data": {"status": next(looks), "exitstatus": one.path["upid"].split(":")[6]}}

    def log(one: Asked) -> Any:
        return {"data": [{"n": 1 + one.number("start", 0), "t": f"line after {one.query['start']}"}]}

    task = "GET /api2/json/nodes/{node}/tasks/{upid}"
    routes = {
        "GET /api2/json/nodes/{node}/qemu/{vmid}": lambda one: {"data": {"node": one.path["node"]}},
        "GET /api2/json/html": lambda one: Answer("<html>", 200),
        "POST /api2/json/html": lambda one: Answer("<html>", 200),
        "POST /api2/json/nodes/{node}/start": lambda one: {"data": UPID},
        f"{task}/status": status,
        f"{task}/log": log,
    }
    traffic = Traffic()
    server = await serve(
        traffic.wrap("pve", api(routes, error=lambda status, words: {"data": None}, guard=asked.append))
    )
    yield Bench(server.url, traffic, asked)
    await server.stop()


async def test_an_id_stays_one_part_of_the_address_and_a_truth_is_a_number(bench: Bench) -> None:
    found = await bench.client().read(dict, "/nodes/{}/qemu/{}", "b: c", 104, params={"full": True})
    [one] = bench.asked
    assert found == {"node": "b: c"} and dict(one.query) == {"full": "1"}
    assert one.headers["authorization"] == f"PVEAPIToken=rackhand@pve!bot={TOKEN}"
    with pytest.raises(Refused):
        await bench.client().read(dict, "/nodes/{}/qemu/{}", "..", 104)
    with pytest.raises(Gone):  # the server of the lab splits what it has unquoted; on the wire it was one part
        await bench.client().read(dict, "/nodes/{}/qemu/{}", "a/../b", 104)
    assert bench.traffic.requests[-1].path == "/api2/json/nodes/a/../b/qemu/104"


async def test_a_backup_server_wants_its_token_with_a_colon(bench: Bench) -> None:
    await bench.client(product="PBS").read(dict, "/nodes/{}/qemu/{}", "x", 1)
    assert bench.asked[0].headers["authorization"] == f"PBSAPIToken=rackhand@pve!bot:{TOKEN}"


async def test_a_reading_client_cannot_write(bench: Bench) -> None:
    with pytest.raises(WriteRefused):
        await bench.client().send("POST", "/nodes/{}/start", "pve1")
    assert bench.asked == []


@pytest.mark.parametrize("access", Access)
async def test_the_next_node_is_asked_when_the_first_is_down(bench: Bench, access: Access) -> None:
    client = bench.client(access, "http://127.0.0.1:1")
    if access is Access.READ:
        await client.read(dict, "/nodes/{}/qemu/{}", "x", 1)
    else:
        assert (await client.begin("POST", "/nodes/{}/start", "x")).ref == UPID
    assert len(bench.asked) == 1
    with pytest.raises(Unreachable):
        settings = TokenSettings(url="http://127.0.0.1:1", token_id="a@b!c", token_secret="x")
        await Proxmox("Proxmox VE", "PVE", list(settings.places()), settings, access).send("GET", "/x")


async def test_a_change_whose_answer_is_lost_is_not_sent_to_another_node(bench: Bench) -> None:
    bench.traffic.fault("pve", method="POST", drop=True)
    client = bench.client(Access.WRITE, bench.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(OutcomeUnknown):
        await client.begin("POST", "/nodes/{}/start", "x")
    assert [r.method for r in bench.traffic.requests] == ["POST"]


@pytest.mark.parametrize(
    ("status", "words", "body", "expected"),
    [
        (500, "Configuration file 'nodes/pve1/qemu-server/9.conf' does not exist", None, Gone),
        (500, "VM is locked (backup)", None, Conflict),
        (500, "cluster not ready - no quorum?", None, Conflict),
        (500, "storage is sulking", None, OutcomeUnknown),
        (400, "Parameter verification failed.", {"errors": {"upid": "no such task"}}, Gone),
        (400, "Parameter verification failed.", {"errors": {"memory": "too much"}}, Refused),
        (401, "authentication failure", None, Unauthorised),
        (403, "Permission check failed (/vms/104, VM.PowerMgmt)", None, Unauthorised),
        (595, "Connection refused", None, ToolFailed),
        (596, "ssl3_read_bytes: tlsv1 alert", None, OutcomeUnknown),
    ],
)
async def test_what_it_says_under_a_status_becomes_one_of_our_errors(
    status: int, words: str, body: Any, expected: type[ToolFailed]
) -> None:
    import requests

    from tools.kit.proxmox_session import refusal

    answer = requests.Response()
    answer.status_code, answer.reason = status, words
    answer._content = str(body or {"data": None}).replace("'", '"').replace("None", "null").encode()
    error = refusal(answer, "Proxmox VE", write=True)
    assert type(error) is expected and error.sent is (expected is OutcomeUnknown)
    if status < 595:
        assert error.outside and (words if body is None else str(*body["errors"].values())) in str(error)


async def test_what_answers_html_is_no_success(bench: Bench) -> None:
    with pytest.raises(BadAnswer, match="<html>"):
        await bench.client().read(dict, "/html")
    with pytest.raises(OutcomeUnknown):
        await bench.client(Access.WRITE).send("POST", "/html")


async def test_a_task_is_followed_to_its_last_word(bench: Bench) -> None:
    steps = [step async for step in kit.follow(bench.client(), UPID.replace(":104:", ":OK:"))]
    assert steps == ["line after 0", "line after 1", Done()]


@pytest.mark.parametrize(
    ("word", "expected"), [("OK", Done), ("WARNINGS: 2", Done), ("got signal 9", Broken), ("unexpected status", None)]
)
def test_only_ok_is_a_good_end(word: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(OutcomeUnknown):
            kit.ending("Proxmox VE", word)
    else:
        assert isinstance(kit.ending("Proxmox VE", word), expected)


async def test_a_task_that_nobody_knows_is_gone(bench: Bench) -> None:
    bench.traffic.fault("pve", status=400, body='{"errors": {"upid": "no such task"}}', times=None)
    with pytest.raises(Gone):
        _ = [step async for step in kit.follow(bench.client(), UPID)]


async def test_a_change_that_names_no_task_is_unknown(bench: Bench) -> None:
    bench.traffic.fault("pve", status=200, body='{"data": null}')
    with pytest.raises(OutcomeUnknown):
        await bench.client(Access.WRITE).begin("POST", "/nodes/{}/start", "x")


@pytest.mark.parametrize(("token", "secret"), [("", TOKEN), ("rackhand", TOKEN), ("a@b!c", ""), ("a@b!c", "x\ny")])
async def test_a_token_that_cannot_be_one_is_said(bench: Bench, token: str, secret: str) -> None:
    settings = TokenSettings(url=bench.url, token_id=token, token_secret=secret)
    with pytest.raises(ToolFailed, match="token"):
        await Proxmox("Proxmox VE", "PVE", list(settings.places()), settings, Access.READ).read(dict, "/x")
    assert not bench.asked


@pytest.mark.parametrize("params", [{}, {"dry-run": False}, {"dry-run": "0"}])
async def test_a_reading_client_only_ever_tries_a_prune(bench: Bench, params: dict[str, Any]) -> None:
    client = bench.client(product="PBS")
    path = "/admin/datastore/{}/prune"
    with pytest.raises(WriteRefused):
        await client.send("POST", path, "main", params={"backup-id": "100", **params})
    assert bench.asked == []
    with pytest.raises(Gone):  # there is none here, and it was asked
        await client.tried(list[Any], path, "main", params={"backup-id": "100", **params})
    assert b"dry-run=1" in bench.asked[-1].raw
    client.close()
