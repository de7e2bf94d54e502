"""TLS to an engine, as the docker command would have it: checked always, with our certificate where there is one."""

import asyncio
import shutil
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lab.kit.tls import Identity, identity
from lab.server import serve
from lab.services.docker.app import docker_app
from lab.traffic import Traffic
from lab.world import World
from tools.docker import service
from tools.docker.hosts import DockerHosts
from tools.docker.settings import Settings
from tools.kit import Access, NoAnswer, OutcomeUnknown, ToolFailed, Unreachable


@dataclass
class Bench:
    """An engine behind TLS that lets in who shows the right certificate, and the folder that gets one in."""

    port: int
    certs: Path
    theirs: Identity
    traffic: Traffic
    context: ssl.SSLContext

    def settings(self, **more: Any) -> Settings:
        given = {"docker_host": f"tcp://127.0.0.1:{self.port}", "docker_tls_verify": "1"}
        return Settings(**{**given, "docker_cert_path": str(self.certs), **more})


def folder(path: Path, authority: Identity, own: Identity | None = None) -> Path:
    """What DOCKER_CERT_PATH points to."""
    path.mkdir(parents=True)
    shutil.copy(authority.certificate, path / "ca.pem")
    if own:
        shutil.copy(own.certificate, path / "cert.pem")
        shutil.copy(own.key, path / "key.pem")
    return path


def demanding(shown: Identity, welcome: Identity | None, newest: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.load_cert_chain(shown.certificate, shown.key)
    if welcome:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(welcome.certificate)
    return context


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    theirs, ours = identity(tmp_path, "engine"), identity(tmp_path, "bot")
    traffic = Traffic()
    app = traffic.wrap("docker:nas", docker_app(World(3), "nas"))
    context = demanding(theirs, ours, request.param)
    server = await serve(app, tls=context)
    yield Bench(server.port, folder(tmp_path / "certs", theirs, ours), theirs, traffic, context)
    await server.stop()


async def asked(settings: Settings, access: Access = Access.READ) -> Any:
    hosts: DockerHosts = await service.open(settings, access)
    try:
        [engine] = hosts.values()
        return await engine.ask(lambda api: api.containers(all=True))
    finally:
        await hosts.close()


async def refused(settings: Settings) -> str:
    with pytest.raises(ToolFailed) as caught:
        await asked(settings)
    assert not caught.value.sent
    return str(caught.value)


async def test_the_docker_commands_own_settings_work(bench: Bench) -> None:
    assert len(await asked(bench.settings())) == 14
    named = {"nas": f"https://127.0.0.1:{bench.port}"}
    assert len(await asked(bench.settings(docker_hosts=named, docker_host="", docker_tls_verify=""))) == 14
    # ~/.docker is where they are when nobody says.
    at_home = bench.settings(docker_cert_path="", docker_config=str(bench.certs))
    assert len(await asked(at_home)) == 14 and len(await asked(bench.settings(docker_tls_verify="0"))) == 14


async def test_each_host_may_have_certificates_of_its_own(bench: Bench, tmp_path: Path) -> None:
    certs = folder(tmp_path / "all", identity(tmp_path, "stranger"))
    assert "not trusted" in await refused(bench.settings(docker_cert_path=str(certs)))
    shutil.copytree(bench.certs, certs / "nas")
    named = {"nas": f"https://127.0.0.1:{bench.port}"}
    assert await asked(bench.settings(docker_hosts=named, docker_cert_path=str(certs)))


async def test_nobody_is_trusted_unchecked(bench: Bench, tmp_path: Path) -> None:
    """Neither without a CA, nor beside another one, nor under another name; and nothing is asked meanwhile."""
    other = identity(tmp_path, "other")
    for settings in (
        bench.settings(docker_cert_path="", docker_config=str(tmp_path / "nothing")),
        bench.settings(docker_cert_path="", docker_tls_verify="", docker_tls="1"),
        bench.settings(docker_cert_path=str(folder(tmp_path / "x", other, other))),
    ):
        said = await refused(settings)
        assert "its certificate is not trusted: self-signed certificate): put the certificate of its authority" in said
    elsewhere = bench.settings(docker_host=f"tcp://localhost:{bench.port}")
    assert "not trusted: Hostname mismatch" in await refused(elsewhere)
    assert not bench.traffic.requests


async def test_the_public_authorities_are_not_added_to_our_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests brings them along wherever it checks a certificate."""
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(bench.theirs.certificate))
    other = identity(bench.certs.parent, "other")
    certs = folder(bench.certs.parent / "strict", other, other)
    assert "not trusted" in await refused(bench.settings(docker_cert_path=str(certs)))


async def test_an_engine_that_wants_another_certificate_says_which_to_bring(bench: Bench, tmp_path: Path) -> None:
    for name, own in (("without", None), ("wrong", identity(tmp_path, "unknown"))):
        certs = str(folder(tmp_path / name, bench.theirs, own))
        assert "put cert.pem and key.pem that it knows" in await refused(bench.settings(docker_cert_path=certs))
        with alerting(bench) as address:
            said = await refused(bench.settings(docker_cert_path=certs, docker_host=address))
        assert "it does not accept our certificate" in said and "put cert.pem and key.pem that it knows" in said
    assert not bench.traffic.requests


@contextmanager
def alerting(bench: Bench) -> Iterator[str]:
    """A server like the bench's that says why it ends a handshake, as asyncio's does not."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve_all() -> None:
        with suppress(OSError):
            while True:
                taken = bench.context.wrap_socket(listening.accept()[0], True, do_handshake_on_connect=False)
                with suppress(ssl.SSLError):
                    taken.do_handshake()
                while socket.socket.recv(taken, 1024):
                    pass  # closed with something unread, it would take the alert back
                taken.close()

    threading.Thread(target=serve_all, daemon=True).start()
    yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda certs: (certs / "ca.pem").unlink(), "CA file"),
        (lambda certs: (certs / "ca.pem").write_text("x"), "CA file"),
        (lambda certs: (certs / "key.pem").unlink(), "cert.pem and key.pem go together"),
        (lambda certs: (certs / "key.pem").write_text("x"), "client certificate"),
        (lambda certs: shutil.rmtree(certs), "CA file"),
    ],
)
async def test_certificates_that_cannot_be_used_are_said(bench: Bench, spoil: Any, why: str) -> None:
    spoil(bench.certs)
    assert why in await refused(bench.settings())


async def test_a_key_with_a_passphrase_asks_nobody(bench: Bench) -> None:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key((bench.certs / "key.pem").read_bytes(), None)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (bench.certs / "key.pem").write_bytes(
        key.private_bytes(*kinds, serialization.BestAvailableEncryption(b"a passphrase"))
    )
    assert "without a passphrase" in await refused(bench.settings())


async def test_tls_and_no_tls_are_told_apart(bench: Bench) -> None:
    plain = await serve(docker_app(World(3), "nas"))
    assert "it speaks no TLS there" in await refused(bench.settings(docker_host=f"tcp://127.0.0.1:{plain.port}"))
    await plain.stop()
    go = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
    for answer in (go, b"\x15\x03\x01\x00\x02\x02\x46"):
        async with saying(answer) as address:
            assert "speaks TLS there: use https://" in await refused(Settings(docker_host=address))
    # OpenSSL only hangs up.
    assert "whether it wants TLS" in await refused(Settings(docker_host=f"tcp://127.0.0.1:{bench.port}"))
    async with saying(b"SSH-2.0-OpenSSH_9.2p1\r\n") as address:
        assert "does not speak HTTP there" in await refused(Settings(docker_host=address))


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[str]:
    """Something that says this, whatever it is asked."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1")
    yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_drip_holds_nothing_up_inside_tls_either(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("READ_PATIENCE", "WRITE_PATIENCE"):
        monkeypatch.setattr(f"tools.docker.hosts.{name}", 0.5)
    bench.traffic.fault("docker:nas", path="/containers/", stall=True, times=None)
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="in time"):
        await asked(bench.settings())
    writer: DockerHosts = await service.open(bench.settings(), Access.WRITE)
    with pytest.raises(OutcomeUnknown):
        await next(iter(writer.values())).ask(lambda api: api.start("jellyfin"))
    await writer.close()
    assert time.monotonic() - began < 6


async def test_a_handshake_that_hangs_has_not_asked_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.kit.session.CONNECT_SECONDS", 0.3)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1")
    settings = Settings(docker_host=f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", docker_tls_verify="1")
    with pytest.raises(Unreachable):
        await asked(settings, Access.WRITE)
    server.close()


def test_what_the_docker_command_is_told_about_safety_is_obeyed_or_refused() -> None:
    for given, name in (
        ({"docker_host": "tcp://nas:2376", "docker_cert_path": "/certs"}, "docker_cert_path"),
        ({"docker_hosts": {"nas": "tcp://nas:2376"}, "docker_cert_path": "/certs"}, "docker_cert_path"),
        ({"docker_host": "http://nas:2375"}, "docker_host"),
        ({"docker_host": "https://nas"}, "docker_host"),
    ):
        with pytest.raises(ValidationError, match=name):
            Settings(**given)
    mixed = {"nas": "https://nas:2376", "mini": "tcp://127.0.0.1:2375", "pi": "ssh://me@pi"}
    assert Settings(docker_hosts=mixed, docker_cert_path="/certs").hosts == mixed
    verified = Settings(docker_hosts=mixed, docker_tls_verify="1").hosts
    assert verified == {**mixed, "mini": "https://127.0.0.1:2375"}
    with pytest.raises(ValidationError, match="two names for one address"):
        Settings(docker_hosts={"a": "https://nas:2376", "b": "tcp://nas:2376"})
