"""What Proxmox VE and Proxmox Backup Server have in common: tokens, privileges, envelopes, UPIDs and their tasks."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp

from lab.kit import tls
from lab.kit.rest import Answer, Asked, Handler, Json, Refusal, api
from lab.kit.tasks import Task
from lab.kit.twin import Twin

UPID = re.compile(r"UPID:([^:]+):(\w{8}):(\w{8,9}):(?:(\w{8,}):)?(\w{8}):([^:]+):([^:]*):([^:]+):")
BASE = "/api2/json"
Rights = Mapping[str, set[str]]
"""Privileges by the path on which they are granted; they hold for everything below it, too."""


class Proxmox:
    """One server of either product: who may do what, what is under way, and how it answers."""

    def __init__(self, twin: Twin, product: str, nodes: Callable[[], list[str]]) -> None:
        """`product` is PVE or PBS; `nodes` are those that it knows now."""
        self.twin, self.product, self.nodes = twin, product, nodes
        self.tokens: dict[str, tuple[str, Rights]] = {}
        """Secret and rights of each token, by its id: `rackhand@pve!bot`."""
        self.context, self.fingerprint = tls.shown(product)

    # -- who asks -------------------------------------------------------------------------------------------------

    def token(self, id_: str, rights: Rights) -> str:
        """A new token's secret."""
        secret = self.twin.secret()
        self.tokens[id_] = (secret, rights)
        return secret

    def who(self, asked: Asked) -> str:
        """The token that asks. Raises Refusal."""
        mark = "=" if self.product == "PVE" else ":"
        found = re.fullmatch(rf"{self.product}APIToken=([^{mark}]+){mark}(.+)", asked.headers.get("authorization", ""))
        if found is None or self.tokens.get(found[1], ("", {}))[0] != found[2]:
            raise Refusal(401, "authentication failure" if self.product == "PVE" else "authentication failed")
        return found[1]

    def may(self, asked: Asked, path: str, *privileges: str) -> bool:
        """Whether whoever asks has one of these on this path."""
        held = self.tokens[self.who(asked)][1]
        return any({*privileges} & held[above] for above in held if path == above or _below(path, above))

    def need(self, asked: Asked, path: str, *privileges: str) -> None:
        """Raises Refusal unless one of these is held on the path."""
        if not self.may(asked, path, *privileges):
            raise Refusal(403, f"Permission check failed ({path}, {'|'.join(privileges)})")

    def permissions(self, asked: Asked) -> Json:
        """Each path with its privileges, as the one who asks has them; only those at the path that is asked for."""
        held = self.tokens[self.who(asked)][1]
        path = asked.query.get("path")
        return {at: dict.fromkeys(sorted(held[at]), 1) for at in held if path in (None, at) or _below(path, at)}

    # -- what takes time ------------------------------------------------------------------------------------------

    def begin(
        self, node: str, kind: str, id_: str, seconds: float, effect: Callable[[], object] = lambda: None,
        *, asked: Asked | None = None, ago: float = 0.0, fails: str = "", log: Sequence[str] = (),
    ) -> str:  # fmt: skip
        """The UPID of a task that takes so many seconds, counted from `ago` before now.

        `asked` is the request that begins it, `fails` how it ends badly; what it does happens when it ends well.
        """
        random, number = self.twin.random, len(self.twin.tasks.all) + 1
        pid, pstart = random.randrange(1000, 60_000), random.randrange(10**7, 10**8)
        counted = f"{number:08X}:" if self.product == "PBS" else ""
        start, who = int(self.twin.now() - ago), self.who(asked) if asked else "root@pam"
        id_ = id_.replace(":", r"\x3a")  # which separates the parts
        upid = f"UPID:{node}:{pid:08X}:{pstart:08X}:{counted}{start:08X}:{kind}:{id_}:{who}:"
        self.twin.tasks.begin(upid, kind, seconds * self.twin.pace, lambda: void(effect()), fails, ago).log += log
        return upid

    def _task(self, asked: Asked) -> Task:
        upid = asked.path["upid"]
        if not UPID.fullmatch(upid):
            raise Refusal(400, "unable to parse worker upid" if self.product == "PVE" else "unable to parse UPID")
        task = self.twin.tasks.look(upid)
        self._sees(asked, asked.path["node"], upid)
        if task is None:
            raise Refusal(500 if self.product == "PVE" else 400, "no such task")
        return task

    def _sees(self, asked: Asked, node: str, upid: str) -> None:
        """Whose task it is may see it, and so may whoever audits the node (PVE) or all tasks (PBS)."""
        if self.who(asked) != _parts(upid)["user"]:
            self.need(asked, f"/nodes/{node}" if self.product == "PVE" else "/system/tasks", "Sys.Audit")

    def task_status(self, asked: Asked) -> Json:
        """A task as it is now; once it is stopped, how it ended."""
        task = self._task(asked)
        ended = {"exitstatus": task.fails or "OK"} if task.ended else {}
        return {**_parts(task.id), "upid": task.id, "status": "stopped" if task.ended else "running", **ended}

    def task_log(self, asked: Asked) -> Answer:
        """Its lines, counted from one."""
        task = self._task(asked)
        lines = [f"starting task {task.id}", *task.log]
        if task.ended:
            lines.append(f"TASK ERROR: {task.fails}" if task.fails else "TASK OK")
        start, limit = asked.number("start", 0), asked.number("limit", 50)
        rows = [{"n": at, "t": line} for at, line in enumerate(lines, 1)][start : start + (limit or len(lines))]
        return Answer({"data": rows, "total": len(lines)})

    def tasks(self, asked: Asked) -> list[Json]:
        """Those of a node, the newest first, as the query narrows them down."""
        self.twin.tasks.settle()
        node, kind = asked.path["node"], asked.query.get("typefilter", "")
        auditing = self.may(asked, f"/nodes/{node}" if self.product == "PVE" else "/system/tasks", "Sys.Audit")
        rows = [
            self._row(task) for task in self.twin.tasks.all.values() if node in ("localhost", _parts(task.id)["node"])
        ]
        rows = [
            row for row in sorted(rows, key=lambda row: -row["starttime"])
            if kind in str(row.get("worker_type", row.get("type")))
            and (auditing or row["user"] == self.who(asked))
            and row["starttime"] >= asked.number("since", 0)
            and (asked.query.get("running") not in ("1", "true") or "endtime" not in row)
            and (asked.query.get("errors") not in ("1", "true") or row.get("status", "OK") != "OK")
            and asked.query.get("vmid", row.get("id")) == row.get("id")
        ]  # fmt: skip
        return rows[asked.number("start", 0) :][: asked.number("limit", 50)]

    def _row(self, task: Task) -> Json:
        parts = _parts(task.id)
        if self.product == "PBS":
            parts |= {"worker_type": parts.pop("type"), "worker_id": parts.pop("id") or None}
        ended = {"endtime": int(task.until), "status": task.fails or "OK"} if task.ended else {}
        return {"upid": task.id, **parts, **ended}

    def stop_task(self, asked: Asked) -> None:
        """End a task before its time, as one that failed."""
        task = self._task(asked)
        if not task.ended:
            task.ended, task.until, task.fails = True, self.twin.now(), "interrupted by signal"

    # -- how it answers -------------------------------------------------------------------------------------------

    def app(self, routes: Mapping[str, Handler], *, version: Json) -> ASGIApp:
        """An app of `"GET /nodes/{node}/qemu"` → handler; what handlers return becomes the envelope's `data`."""
        at = "/nodes/{node}/tasks"
        common: dict[str, Handler] = {
            "GET /version": lambda asked: version,
            "GET /access/permissions": self.permissions,
            f"GET {at}": self.tasks,
            f"GET {at}/{{upid}}/status": self.task_status,
            f"GET {at}/{{upid}}/log": self.task_log,
            f"DELETE {at}/{{upid}}": self.stop_task,
        }
        found = {**common, **routes}
        placed = {line.replace(" ", f" {BASE}", 1): self._wrapped(handler) for line, handler in found.items()}
        return api(placed, error=self.error, guard=lambda asked: void(self.who(asked)))

    def error(self, status: int, words: str) -> Json | str:
        """A refusal: PVE writes JSON (and the words into the status line, too), PBS the bare words."""
        return words if self.product == "PBS" else {"data": None, "message": f"{words}\n"}

    def _wrapped(self, handler: Handler) -> Handler:
        def answer(asked: Asked) -> Answer:
            node = asked.path.get("node")
            if node is not None and node not in self.nodes() and node != "localhost":
                raise Refusal(595 if self.product == "PVE" else 400, f"hostname lookup '{node}' failed")
            found = handler(asked)
            if isinstance(found, Answer):
                return found
            return Answer({"data": flags(found) if self.product == "PVE" else found})

        return answer


def void(_: object) -> None:
    """Nothing: what was asked is asked for its refusal alone."""


def sent(asked: Asked) -> dict[str, Any]:
    """What a request says, in its query and as a form or as JSON."""
    if asked.headers.get("content-type", "").startswith("application/json"):
        return {**asked.query, **asked.body}
    return {**asked.query, **dict(parse_qsl(asked.raw.decode(), keep_blank_values=True))}


def yes(value: object) -> bool:
    """Whether a parameter says so: 1, true, yes and on do."""
    return str(value).lower() in ("1", "true", "yes", "on")


def flags(value: Any) -> Any:
    """The same with booleans as Proxmox VE writes them: 0 and 1."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, dict):
        return {name: flags(each) for name, each in value.items()}
    return [flags(each) for each in value] if isinstance(value, list) else value


def _parts(upid: str) -> Json:
    found = UPID.fullmatch(upid)
    assert found is not None, f"{upid} is none"
    node, pid, pstart, _, start, kind, id_, user = found.groups()
    return {"node": node, "pid": int(pid, 16), "pstart": int(pstart, 16), "starttime": int(start, 16), "type": kind,
            "id": id_.replace(r"\x3a", ":"), "user": user}  # fmt: skip


def _below(path: str, above: str) -> bool:
    return above == "/" or path.startswith(f"{above}/")
