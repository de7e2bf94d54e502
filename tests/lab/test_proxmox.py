"""What the twins of both Proxmox products answer: judged over HTTPS."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from lab.kit import Twin
from lab.kit.proxmox import Proxmox, flags, sent, yes
from lab.server import serve

TOKEN = "rackhand@pam!bot"


class Cluster(Twin):
    """A service with one switch, whose every change is a task."""

    name = "cluster"

    def __init__(self, product: str) -> None:
        super().__init__(1, lambda: self.time)
        self.time, self.on = 1_800_000_000.0, False
        self.server = Proxmox(self, product, lambda: ["pve1"])
        self.key = self.server.token(TOKEN, {"/vms": {"VM.Audit"}})
        self.stranger = self.server.token("other@pam!one", {})

    def apps(self) -> Mapping[str, ASGIApp]:
        routes = {"GET /switch": self.look, "POST /nodes/{node}/switch": self.switch}
        return {"pve1": self.server.app(routes, version={"version": "9.1.1"})}

    def environment(self, urls: Mapping[str, str]) -> Mapping[str, str]:
        return {}

    def look(self, asked: Any) -> Any:
        self.server.need(asked, "/vms/100", "VM.Audit")
        return {"on": self.on}

    def switch(self, asked: Any) -> str:
        on = yes(sent(asked)["on"])
        return self.server.begin(asked.path["node"], "switch", "100", 5, lambda: setattr(self, "on", on), asked=asked)


@pytest.fixture(params=["PVE", "PBS"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    return Cluster(request.param)


@pytest.fixture
async def http(cluster: Cluster) -> AsyncIterator[Any]:
    server = await serve(cluster.apps()["pve1"], tls=cluster.server.context)

    async def ask(method: str, path: str, key: str = cluster.key, who: str = TOKEN, **more: Any) -> httpx.Response:
        mark = "=" if cluster.server.product == "PVE" else ":"
        headers = {"Authorization": f"{cluster.server.product}APIToken={who}{mark}{key}"}
        async with httpx.AsyncClient(verify=False, headers=headers) as client:
            return await client.request(method, f"{server.url}/api2/json{path}", **more)

    yield ask
    await server.stop()


async def test_a_change_is_a_task_which_is_no_success_until_it_has_stopped(cluster: Cluster, http: Any) -> None:
    upid = (await http("POST", "/nodes/pve1/switch", data={"on": "1"})).json()["data"]
    at = f"/nodes/pve1/tasks/{upid}"
    assert (await http("GET", f"{at}/status")).json()["data"]["status"] == "running" and not cluster.on
    cluster.time += 6
    status = (await http("GET", f"{at}/status")).json()["data"]
    assert (status["status"], status["exitstatus"], status["user"]) == ("stopped", "OK", TOKEN) and cluster.on
    assert (await http("GET", f"{at}/log")).json()["data"][-1] == {"n": 2, "t": "TASK OK"}
    assert [row["upid"] for row in (await http("GET", "/nodes/pve1/tasks")).json()["data"]] == [upid]


async def test_a_task_that_was_forgotten_is_not_there(cluster: Cluster, http: Any) -> None:
    upid = (await http("POST", "/nodes/pve1/switch", json={"on": True})).json()["data"]
    cluster.tasks.lose(upid)
    assert (await http("GET", f"/nodes/pve1/tasks/{upid}/status")).status_code in (400, 500)


async def test_who_may_not_is_told_which_privilege_is_missing(cluster: Cluster, http: Any) -> None:
    found = (await http("GET", "/switch")).json()["data"]["on"]
    assert found == 0 and isinstance(found, bool) is (cluster.server.product == "PBS")
    refused = await http("GET", "/switch", cluster.stranger, "other@pam!one")
    assert refused.status_code == 403 and "(/vms/100, VM.Audit)" in refused.text
    assert (await http("GET", "/switch", "wrong")).status_code == 401
    assert (await http("GET", "/access/permissions")).json()["data"] == {"/vms": {"VM.Audit": 1}}


async def test_the_tasks_of_others_are_not_shown_to_who_may_not_audit(cluster: Cluster, http: Any) -> None:
    upid = (await http("POST", "/nodes/pve1/switch", data={"on": 1})).json()["data"]
    as_other = (cluster.stranger, "other@pam!one")
    assert (await http("GET", "/nodes/pve1/tasks", *as_other)).json()["data"] == []
    assert (await http("GET", f"/nodes/pve1/tasks/{upid}/status", *as_other)).status_code == 403
    assert (await http("GET", "/nodes/elsewhere/tasks")).status_code in (400, 595)


def test_booleans_are_figures_all_the_way_down() -> None:
    assert flags({"a": [{"b": True}], "c": 2, "d": False}) == {"a": [{"b": 1}], "c": 2, "d": 0}
