"""The control socket: the other doors' way into the running bot. Only the data directory's owner can open it."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bot.core import Core
from bot.doctor import Doctor
from bot.runs.decisions import Came
from bot.screen.footer import footer
from bot.screen.plain import plain_results, without_words
from bot.settings.people import console_actor
from bot.settings.settings import BadConfiguration
from memory.audit import Audit
from memory.backup import backup
from memory.database import Database, DatabaseBroken
from memory.runs import final_text
from memory.text import clean, every_text
from tools.gate.results import refusals
from tools.kit.strict import strict_json

WAIT_SECONDS = 120.0


async def copied(database: Database, folder: Path) -> dict[str, Any]:
    """A new backup in the folder: its `name`, or an `error`."""
    name = f"backup-{datetime.now():%Y%m%d-%H%M%S}.db"
    try:
        await backup(database, folder / name)
    except DatabaseBroken as error:
        return {"error": str(error)}
    return {"name": name}


async def audited(audit: Audit, head: str, entries: bool) -> dict[str, Any]:
    """Whether the audit chain holds, with every record when they are asked for."""
    chain = await audit.verify(head)
    found = [asdict(entry) for entry in await audit.export()] if entries else []
    return {"chain": str(chain), "intact": chain.intact, "entries": found}


class Control:
    """Runs from a terminal: asked, waited for, decided."""

    def __init__(self, core: Core, doctor: Doctor) -> None:
        self._core, self.doctor = core, doctor

    async def ask(self, objective: str) -> str:
        """Open a run for an objective; its id."""
        actor = console_actor()
        run = await self._core.opener.say(
            actor.id, actor, objective, trigger=f"ask:{secrets.token_hex(8)}", opened_by="ask"
        )
        assert run is not None, "the trigger is new"
        return run

    async def wait(self, run_id: str, seconds: float = WAIT_SECONDS) -> dict[str, Any] | None:
        """The run once it and its tasks have ended or it waits for a person, or as it is in time; None: no such run."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            run = await self._core.stores.runs.get(run_id)
            waits = run is not None and (run.state == "working" or self._core.execution.following.has(run_id))
            if not waits or asyncio.get_running_loop().time() > deadline:
                return await self.show(run_id)
            await asyncio.sleep(0.05)

    async def show(self, run_id: str) -> dict[str, Any] | None:
        """A run as JSON: state, answer, and each change."""
        stores = self._core.stores
        run = await stores.runs.get(run_id)
        if run is None:
            return None
        messages = await stores.runs.messages(run_id)
        calls = [
            {
                "id": row.id, "tool": row.tool, "title": row.title, "state": row.state, "verified": row.verified,
                "args": row.args, "arguments": row.card["args"],
                "facts": row.before["shown"], "after": (row.after or {}).get("shown"),
                "detail": row.detail, "notes": row.card["notes"], "undo": row.card["undo"],
            }
            for row in await stores.journal.of_run(run_id)
        ]  # fmt: skip
        cards = [card for card in await stores.approvals.open_cards() if card.run == run_id]
        silent = run.thinks and run.state == "done" and messages[-1]["role"] == "assistant"
        wordless = without_words(messages) if silent else "" if run.thinks else plain_results(messages)
        shown = {
            "run": run.id, "state": run.state, "error": run.error, "answer": final_text(messages) or wordless,
            "footer": await footer(stores, run_id), "calls": calls, "refused": refusals(messages),
            "confirm": any(card.armed for card in cards),
        }  # fmt: skip
        # A terminal obeys what stands in a text: it could rewrite the lines above, the card's among them.
        whole: dict[str, Any] = every_text(shown, lambda text: self._core.redact(clean(text)[0]))
        return whole

    async def decide(self, run_id: str, approve: bool) -> str | None:
        """Decide a run's open cards; a sentence when that is not possible."""
        actor, stores, decisions = console_actor(), self._core.stores, self._core.decisions
        cards = [card for card in await stores.approvals.open_cards() if card.run == run_id]
        if not cards:
            return f"Run {run_id} has no open card."
        for card in cards:
            if actor.id not in card.allowed:
                return f"This card belongs to {', '.join(card.allowed)}; decide it there."
            calls = [approval.call for approval in await stores.approvals.of_card(card.id)]
            async with stores.database.transaction() as tx:
                came = await decisions.decide(tx, card, calls, approve, actor)
            if came is Came.LATE:
                return "The card has expired or was decided elsewhere."
        await self._core.runner.advance(run_id)
        return None

    def app(self) -> Starlette:
        """The HTTP face of all this."""
        return Starlette(
            routes=[
                Route("/ask", self._ask, methods=["POST"]),
                Route("/runs/{run}", self._show, methods=["GET"]),
                Route("/runs/{run}/decide", self._decide, methods=["POST"]),
                Route("/doctor", self._doctor, methods=["GET"]),
                Route("/backup", self._backup, methods=["POST"]),
                Route("/audit", self._audit, methods=["GET"]),
            ]
        )

    async def _ask(self, request: Request) -> JSONResponse:
        objective = await _sent(request, "objective")
        if not isinstance(objective, str) or not objective.strip():
            return JSONResponse({"error": "Send a JSON object with an objective, a text."}, 400)
        return JSONResponse(await self.wait(await self.ask(objective)))

    async def _show(self, request: Request) -> JSONResponse:
        shown = await self.wait(request.path_params["run"])
        return JSONResponse(shown, 200 if shown else 404)

    async def _decide(self, request: Request) -> JSONResponse:
        approve = await _sent(request, "approve")
        if not isinstance(approve, bool):
            return JSONResponse({"error": "Send a JSON object with approve, true or false."}, 400)
        refusal = await self.decide(request.path_params["run"], approve)
        if refusal:
            return JSONResponse({"error": refusal}, 409)
        return JSONResponse(await self.wait(request.path_params["run"]))

    async def _doctor(self, request: Request) -> JSONResponse:
        return JSONResponse(await self.doctor.as_json())

    async def _backup(self, request: Request) -> JSONResponse:
        return JSONResponse(await copied(self._core.stores.database, self._core.settings.data_dir))

    async def _audit(self, request: Request) -> JSONResponse:
        asked = request.query_params
        return JSONResponse(await audited(self._core.stores.audit, asked.get("head", ""), "entries" in asked))


async def _sent(request: Request, name: str) -> Any:
    """One field of the JSON object that was sent; None when it is none."""
    try:
        body = strict_json(await request.body())
    except ValueError:
        return None
    return body.get(name) if isinstance(body, dict) else None


@asynccontextmanager
async def control_socket(control: Control, path: Path) -> AsyncIterator[None]:
    """Serve on a socket that only its owner may open. Raises BadConfiguration where there can be none."""
    await asyncio.to_thread(path.unlink, missing_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    old = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as error:  # a path of more than 107 bytes, or a file system that has no sockets
        sock.close()
        raise BadConfiguration(f"DATA_DIR: I cannot make a socket at {path} ({error.strerror or error}).") from None
    finally:
        os.umask(old)
    config = uvicorn.Config(control.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve(sockets=[sock]), name="control socket")
    try:
        yield
    finally:
        server.should_exit = True
        await task
        await asyncio.to_thread(path.unlink, missing_ok=True)
