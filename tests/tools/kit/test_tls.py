"""Certificates: refused by default, trusted by a CA file or a pinned fingerprint, and by nothing else: in every client.

There are two kinds here, httpx and requests (urllib3); one that joins them goes into CLIENTS.
"""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.kit.tls import Identity, identity
from tools.kit import Access, Api, ToolFailed, Unreachable
from tools.kit.session import session

SECRET = "geheim-1234567890"


@dataclass
class Listener:
    """A TLS server's address, and every byte of HTTP that reached it."""

    url: str
    received: bytearray = field(default_factory=bytearray)


@asynccontextmanager
async def listening(shown: Identity) -> AsyncIterator[Listener]:
    context, found = shown.context(), Listener("")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while b"\r\n\r\n" not in found.received:
                if not (piece := await reader.read(4096)):
                    return
                found.received += piece
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n"safe"')
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    found.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield found
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0)


async def ask_with_httpx(url: str, **options: Any) -> Any:
    api = Api("UniFi", url, access=Access.READ, headers={"X-API-KEY": SECRET}, **options)
    try:
        return await api.get_json("/x")
    finally:
        await api.close()


async def ask_with_requests(url: str, **options: Any) -> Any:
    with session("UniFi", url, access=Access.READ, patience=5.0, **options) as made:
        made.headers["X-API-KEY"] = SECRET
        made.verify = False  # as some SDKs have it
        return (await asyncio.to_thread(made.get, f"{url}/x")).json()


CLIENTS = {"httpx": ask_with_httpx, "requests": ask_with_requests}
ask = ask_with_httpx


@pytest.fixture(autouse=True, params=CLIENTS)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here asks with each kind of client in turn."""
    monkeypatch.setattr(f"{__name__}.ask", CLIENTS[request.param])


@pytest.fixture
def own(tmp_path: Path) -> Identity:
    return identity(tmp_path, "own")


async def refused(listener: Listener, **options: Any) -> str:
    """What is said when the connection must not come about; nothing of the request may have left."""
    with pytest.raises(Unreachable) as caught:
        await ask(listener.url, **options)
    assert listener.received == b"" and not caught.value.sent and SECRET not in str(caught.value)
    return str(caught.value)


async def test_a_self_signed_certificate_is_refused_by_default(own: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(own.certificate))
    async with listening(own) as listener:
        said = await refused(listener)
    assert "not trusted" in said and "self-signed" in said and "fingerprint" in said


async def test_a_ca_file_makes_it_trusted(own: Identity) -> None:
    async with listening(own) as listener:
        assert await ask(listener.url, ca_file=str(own.certificate)) == "safe"


async def test_a_ca_file_trusts_nobody_else(own: Identity, tmp_path: Path) -> None:
    async with listening(own) as listener:
        await refused(listener, ca_file=str(identity(tmp_path, "other").certificate))


@pytest.mark.parametrize(("host", "days", "why"), [("127.0.0.2", 30, "mismatch"), ("127.0.0.1", -1, "expired")])
async def test_a_ca_file_forgives_nothing(tmp_path: Path, host: str, days: int, why: str) -> None:
    shown = identity(tmp_path, "odd", host=host, days=days)
    async with listening(shown) as listener:
        assert why in await refused(listener, ca_file=str(shown.certificate))


@pytest.mark.parametrize("spelled", [str, str.lower, lambda text: text.replace(":", ""), lambda text: f"SHA256:{text}"])
async def test_the_pinned_certificate_is_accepted(own: Identity, spelled: Any) -> None:
    async with listening(own) as listener:
        assert await ask(listener.url, fingerprint=spelled(own.fingerprint)) == "safe"


async def test_another_certificate_than_the_pinned_one_is_refused_and_both_are_named(
    own: Identity, tmp_path: Path
) -> None:
    other = identity(tmp_path, "other")
    async with listening(other) as listener:
        said = await refused(listener, fingerprint=own.fingerprint)
        # A pin stands alone: a CA that vouches for the other certificate does not help it.
        await refused(listener, fingerprint=own.fingerprint, ca_file=str(other.certificate))
    shown, pinned = (
        hashlib.sha256(ssl.PEM_cert_to_DER_cert(i.certificate.read_text())).hexdigest() for i in (other, own)
    )
    assert f"{shown[:16]}…" in said and f"{pinned[:16]}…" in said
    assert shown not in said and pinned not in said


async def test_tls_below_1_2_is_refused(own: Identity) -> None:
    for options in ({"ca_file": str(own.certificate)}, {"fingerprint": own.fingerprint}, {}):
        from tools.kit.tls import trust

        assert trust("UniFi", **options).minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"ca_file": "/nonexistent/ca.pem"}, "CA file"),
        ({"ca_file": __file__}, "CA file"),
        ({"fingerprint": "ab:cd"}, "64"),
        ({"fingerprint": "zz" * 32}, "64"),
    ],
)
async def test_unusable_settings_are_said_at_once(options: dict[str, str], why: str) -> None:
    with pytest.raises(ToolFailed, match=why):
        await ask("https://127.0.0.1:1", **options)


@pytest.mark.parametrize("options", [{"ca_file": "/x"}, {"fingerprint": "ab" * 32}])
async def test_a_certificate_to_check_without_tls_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ToolFailed, match="use https"):
        await ask("http://127.0.0.1:1", **options)
