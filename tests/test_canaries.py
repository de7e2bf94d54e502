"""No secret of a setting or of a container gets anywhere, however badly the day goes."""

import base64
import html
import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from lab.telegram.state import ADMIN, VIEWER
from tests.canaries import Canaries, Hit
from tests.e2e.harness import Home, environment, open_home, run_door
from tests.watch import secret_settings

WRITTEN = "WEBHOOK_TOKEN"
"""What a person writes to the bot in this session: its inbox keeps what Telegram delivered."""
SAID = "ANTHROPIC_API_KEY"
"""What the model says: its own words are kept and sent back to it as they were, and reach nobody else."""
LOG_LINES = b"connecting with %s\nAuthorization: Bearer %s\nurl=http://admin:%s@db/x?token=%s\n"
AS_IT_IS = {"TELEGRAM_BOT_TOKEN", "ANTHROPIC_API_KEY"}


def refusal(code: int, words: str) -> dict[str, Any]:
    return {"status": code, "body": json.dumps({"ok": False, "error_code": code, "description": words})}


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    canaries = Canaries()
    value = canaries.plant("odd", odd=True)
    canaries.plant("absent")
    raw = value.encode()
    planted: dict[str, bytes] = {
        "raw": b"x" + raw,
        "url": quote(value, safe="").encode(),
        "json": json.dumps({"a": f"x{value}x"}).encode(),
        "hex": raw.hex().upper().encode(),
        "reversed": value[::-1].encode(),
        "in part": raw[: len(raw) // 2] + b"\n" + raw[len(raw) // 2 :],
        "html": html.escape(f"<b>{value}</b>").encode(),
        **{f"base64+{shift}": base64.b64encode(b"abc"[:shift] + raw + b"tail") for shift in range(3)},
    }
    for spelling, content in planted.items():
        found = canaries.search(b"before " + content + b" after", "here")
        assert Hit("odd", spelling, "here") in found, spelling
        assert {hit.canary for hit in found} == {"odd"}
    assert canaries.search(base64.urlsafe_b64encode(b"?" + raw + b"?"), "here")
    assert canaries.search("".join(f"\\u{ord(char):04x}" for char in value), "here")
    assert canaries.search("".join(f"%{byte:02x}".upper() for byte in raw), "here")
    assert canaries.search(json.dumps({"a": quote(json.dumps(value))}), "here"), "one encoding inside another"
    assert canaries.search(raw[:9], "here") == [] and canaries.search(raw, "here", but=("odd",)) == []
    (tmp_path / "file").write_bytes(b"\x00\xff" + raw)
    assert canaries.search_files(tmp_path)[0].where == "file"


async def a_bad_day(home: Home, canaries: Canaries) -> list[str]:
    """A busy session on failure paths; what the doors and the socket said meanwhile."""
    lab, hook = home.lab, canaries.values[WRITTEN]
    token, key = lab.token, canaries.values[SAID]
    words = f"at {lab.telegram_url}/bot{token}/sendMessage with {token}"
    for path, fault in (
        ("/sendMessage$", refusal(429, f"Too Many Requests {words}")),
        ("/sendMessage$", {"status": 502, "body": f"<html>{words}</html>"}),
        ("/sendMessage$", refusal(401, f"Unauthorized {words}")),
        ("/sendMessage$", refusal(400, f"Bad Request: can't parse entities {words}")),
        ("/sendMessage$", {"drop": True}),
        ("/editMessageText$", refusal(400, f"Bad Request: message to edit not found {words}")),
        ("/answerCallbackQuery$", refusal(400, f"query is too old {words}")),
        ("/getUpdates$", {"status": 500, "body": words}),
        ("/getUpdates$", {"status": 200, "body": f"[{words}"}),
    ):
        lab.traffic.fault("telegram", path=path, **fault)
        await home.ask("/cost", "today")
    lab.traffic.fault(
        "telegram", path="/sendMessage$", **refusal(403, f"Forbidden: bot was blocked by the user {words}")
    )
    home.say("/help")
    await home.until(lambda: home.query("SELECT 1 FROM outbox WHERE state = 'dropped'"), "an answer to be given up")
    lab.telegram.inject({"message": {"message_id": "x", "text": hook, "chat": hook}})
    lab.telegram.inject({"callback_query": {"id": "1", "data": hook, "from": {"id": ADMIN}}})
    await home.ask("/nonsense", "no /nonsense")
    await home.ask(f"my webhook token is {hook}, remember it", ".")

    for fault in (
        {"status": 500},
        {"status": 403},
        {"status": 200, "body": f"<html>{words}"},
        {"truncate": 30},
        {"drop": True},
    ):
        await engine_fails(home, words, **fault)
        await home.ask("show me the details of paperless", "paperless")
    for name in ("paperless", "odd-one"):
        planted = [canaries.values["ODD_ENV"], canaries.values["ENV"], token, key]
        lines = LOG_LINES % tuple(value.encode() for value in planted)
        lab.traffic.fault("docker:nas", path="/logs$", status=200, body=lines if name == "odd-one" else b"quiet\n")
        await home.ask(f"show me the last logs of {name}", name)
        await home.ask(f"show me the details of {name}", name)

    error = {"type": "error", "error": {"type": "authentication_error", "message": f"bad key {words} {hook} {key}"}}
    for status in (401, 400, 403):
        lab.traffic.fault("claude", status=status, body=json.dumps(error))
        await home.ask("is jellyfin up?", ".")
    lab.claude.script.append([{"type": "text", "text": f"Your key is {key}, by the way."}])
    await home.ask("say it", "by the way")
    use = {"type": "tool_use", "name": "docker_restart_container", "input": {"container": key}}
    lab.claude.script.extend([[use], [{"type": "text", "text": f"{key} is not there."}]])
    await home.ask("restart it", "not there")

    home.tap(await home.remove("odd-one"), "Undo")
    await home.hear("✓ .*odd-one")
    lab.traffic.fault("docker:nas", method="POST", path="/stop$", drop_after=True)
    home.say("stop radarr")
    home.tap(await home.card("Stop radarr"), "Stop radarr")
    await home.hear("outcome unknown")
    await engine_fails(home, words, status=401)  # after this it is given a pause, which the restart ends
    await home.quiet()
    await home.kill()
    await home.ready()
    for command in ("/status", "/containers", "/doctor", "/audit 50", "/digest", "/pending", "/help"):
        await home.ask(command, ".")
    await home.ask("/doctor", ".", VIEWER)
    await home.quiet()
    return await doors(home)


async def engine_fails(home: Home, words: str, **fault: Any) -> None:
    """A look at a container while its engine answers like this."""
    body = fault.pop("body", json.dumps({"message": f"no access {words}"}))
    home.lab.traffic.fault("docker", path="/containers/[0-9a-f]{64}/json$", body=body, **fault)
    await home.ask("show me the details of paperless", ".")


async def doors(home: Home) -> list[str]:
    """What every door says, and the control socket itself."""
    said = []
    for arguments in (
        ("doctor", "--json"), ("tools", "--json"), ("env",), ("audit", "export"), ("audit", "verify"),
        ("ask", "how is paperless?", "--json"), ("resume", "nothing", "--approve"),
        ("backup", str(home.data.parent / "copy.db")),
    ):  # fmt: skip
        ended = await run_door(*arguments, env=dict(home.bot.env))
        said.append(ended.out + ended.err)
    assert '"level"' in said[0] and '"input_schema"' in said[1] and '"kind"' in said[3]
    transport = httpx.AsyncHTTPTransport(uds=str(home.data / "control.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://rackhand", timeout=30) as client:
        said.append((await client.get("/doctor")).text)
        for (run,) in home.query("SELECT id FROM runs"):
            said.append((await client.get(f"/runs/{run}")).text)
    return said


def outside(home: Home, service: str) -> str:
    """Everything that was sent to a service, its address and its credential aside."""
    requests = [r for r in home.lab.traffic.requests if r.service == service]
    kept = ("content-type", "user-agent", "accept", "cookie", "referer")
    return "\n".join(
        f"{r.method} {r.path.rpartition('/')[2]} {r.query} {[r.headers.get(name) for name in kept]}"
        f" {r.body.decode(errors='surrogateescape')}"
        for r in requests
    )


def argv_of(home: Home) -> bytes:
    """The command line that everybody on the machine can read."""
    return Path(f"/proc/{home.bot.pid}/cmdline").read_bytes()


async def test_no_canary_gets_anywhere(tmp_path: Path) -> None:
    canaries = Canaries()
    given = {name: canaries.plant(name) for name in secret_settings() if name not in AS_IT_IS}
    given[SAID] = canaries.plant(SAID, f"sk-ant-lab-{secrets.token_hex(16)}")
    async with open_home(tmp_path, started=False, forked=False, LOG_LEVEL="DEBUG", **given) as home:
        canaries.plant("TELEGRAM_BOT_TOKEN", home.lab.token)
        for number, value in enumerate(home.lab.world.canaries):
            canaries.plant(f"container {number}", value)
        host = home.lab.world.hosts["nas"]
        image = host.get("sonarr").config["Image"]
        env = [f"DB_PASSWORD={canaries.plant('ODD_ENV', odd=True)}", f"API_TOKEN={canaries.plant('ENV')}", "TZ=UTC"]
        host.create({"Image": image, "Env": env}, "odd-one")
        await home.start()
        said = await a_bad_day(home, canaries)
        hits = [hit for text in said for hit in canaries.search(text, "a door")]
        hits += canaries.search(outside(home, "telegram"), "Telegram")
        hits += canaries.search(outside(home, "claude"), "Claude", but=(SAID,))
        hits += canaries.search(home.log(), "the log")
        hits += canaries.search(argv_of(home), "argv")
        hits += canaries.search_files(tmp_path, but=(WRITTEN, SAID))
    hits += canaries.search_files(tmp_path, but=(WRITTEN, SAID))
    assert len(canaries.values) > 15 and sorted(set(hits), key=str) == []


@pytest.mark.parametrize(
    "values",
    [
        {"TELEGRAM_BOT_TOKEN": "777:wrong-canary-token"},
        {
            "TELEGRAM_BOT_TOKEN": "123456789:AAcanaryCANARYcanaryCANARYcanary0123",
            "TELEGRAM_API_URL": "http://127.0.0.1:1",
        },
        {"TELEGRAM_ADMINS": "canary-admin", "BUDGET_DAILY_USD": "canary-money", "LOG_LEVEL": "canary-level"},
        {"DOCKER_HOSTS": '{"nas": "tcp://user:canary-password@nas:2375"}'},
    ],
    ids=["no token", "unreachable", "wrong kinds", "password in an address"],
)
async def test_a_bad_start_shows_no_value(tmp_path: Path, values: dict[str, str]) -> None:
    async with open_home(tmp_path, started=False, forked=False) as home:
        env = {**environment(home.lab), **values}
        if "TELEGRAM_API_URL" in values:
            ended = await run_door("doctor", "--json", env=env)
            assert ended.code in (0, 1)
        else:
            ended = await run_door("run", env=env)
            assert ended.code == 78 and next(iter(values)) in ended.err
    assert "canary" not in (ended.out + ended.err).lower()
