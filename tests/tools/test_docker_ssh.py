"""Docker over SSH: the way is this user's own ssh's, and what keeps it from working is said with what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko  # type: ignore[import-untyped]
import pytest

from lab.server import serve
from lab.services.docker.app import docker_app
from lab.world import World
from tests.tools.far import Far, a_key, ends_with, far_side, leads_to
from tools.docker import ssh_config
from tools.docker.hosts import DockerHosts
from tools.kit import Access, OutcomeUnknown, ToolFailed, Unreachable
from tools.kit.instances import DownInItsWords
from tools.kit.types import outside_text


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(ssh_config, "CONFIGS", ("~/.ssh/config",))
    with far_side(tmp_path, ends_with("nobody has said what to do")) as found:
        yield found


@pytest.fixture
async def works(far: Far) -> Any:
    """The far side has an engine."""
    server = await serve(docker_app(World(3), "nas"))
    far.work = leads_to(server.port)
    yield far
    await server.stop()


async def asked(far: Far, address: str = "", access: Access = Access.READ, **more: Any) -> Any:
    hosts = DockerHosts({"nas": address or far.address}, access)
    try:
        return await hosts["nas"].ask(lambda api: api.containers(all=True), **more)
    finally:
        await hosts.close()


async def failed(far: Far, address: str = "") -> str:
    """What is said; in the same words beside the host in a listing."""
    with pytest.raises(ToolFailed) as caught:
        await asked(far, address)
    assert not caught.value.sent
    return str(caught.value)


async def test_an_engine_is_asked_through_the_far_sides_docker(works: Far) -> None:
    assert len(await asked(works)) == 14 and works.users == ["me"]


NO_DOCKER = "there is no docker command there): install Docker there"
NO_RIGHT = "its user may not use Docker there): put that user into the group docker there"
NOT_ON = "Docker does not run there): start it"
OTHER = "its docker command is too old, or not Docker's own): update it"


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        ("bash: line 1: docker: command not found", 127, NO_DOCKER), ("sh: 1: docker: not found", 127, NO_DOCKER),
        ("fish: Unknown command: docker", 127, NO_DOCKER), ("", 127, NO_DOCKER),
        ("failed to open the raw stream connection: dial unix /x.sock: connect: permission denied", 1, NO_RIGHT),
        ("permission denied while trying to connect to the Docker daemon socket at unix:///x", 1, NO_RIGHT),
        ("dial unix /run/docker.sock: connect: no such file or directory", 1, NOT_ON),
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", 1, NOT_ON),
        ("dial unix /var/run/docker.sock: connect: connection refused", 1, NOT_ON),
        ("docker: 'dial-stdio' is not a docker command.", 1, OTHER),
        ("Error: unrecognized command `podman system dial-stdio`", 125, OTHER),
    ],
)  # fmt: skip
async def test_what_the_far_side_prints_is_understood(far: Far, said: str, status: int, why: str) -> None:
    far.work = ends_with(said, status)
    for access in Access:
        with pytest.raises(Unreachable) as caught:
            await asked(far, access=access)
        assert str(caught.value).startswith(f"Docker on nas cannot be reached ({why}")
        assert not caught.value.sent and not caught.value.outside, "no byte has got to an engine"


async def test_other_words_of_the_far_side_are_quoted_as_words_from_outside(far: Far) -> None:
    far.work = ends_with("Warning: something\nThis account is under maintenance, token=hunter22hunter\n")
    hosts = DockerHosts({"nas": far.address}, Access.READ)
    _, [down] = await hosts.each(lambda engine: engine.ask(lambda api: api.containers()))
    await hosts.close()
    assert isinstance(down, DownInItsWords) and "(This account is under maintenance" in down.reason
    assert list(outside_text(down)) == [down.reason] and "hunter22" not in down.reason


async def test_a_change_whose_connection_ends_in_other_words_is_unknown(far: Far, monkeypatch: Any) -> None:
    far.work = ends_with("killed")
    hosts = DockerHosts({"nas": far.address}, Access.WRITE)
    monkeypatch.setattr("tools.docker.session.Session._negotiate", lambda *_, **__: None)
    with pytest.raises(OutcomeUnknown):
        await hosts["nas"].ask(lambda api: api.start("x"))
    await hosts.close()


async def test_what_is_printed_after_an_answer_says_nothing_of_a_change(far: Far) -> None:
    """The engine may have done it before the connection broke."""

    def starts_once(channel: Any) -> None:
        answered = False
        while request := channel.recv(65536):
            if b"/start" in request and answered:
                ends_with("dial unix /var/run/docker.sock: connect: connection refused")(channel)
                break
            channel.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"ApiVersion":"1.47"}')
            answered = True

    far.work = starts_once
    hosts = DockerHosts({"nas": far.address}, Access.WRITE)
    await hosts["nas"].ask(lambda api: api.start("x"))
    with pytest.raises(OutcomeUnknown):
        await hosts["nas"].ask(lambda api: api.start("x"))
    await hosts.close()


async def test_a_shell_that_chats_is_told_to_be_silent(far: Far) -> None:
    for out in (b"Welcome to nas!\n", b"hi"):
        far.work = ends_with("", 0, out=out)
        said = await failed(far)
        assert f'prints "{out.decode().strip()}" before Docker can answer: a plain `ssh HOST true` must' in said


async def test_a_host_is_known_or_it_is_not_spoken_to(works: Far) -> None:
    works.knows(a_key())
    assert "another SSH host key than before: find out why" in await failed(works)
    works.knows(works.host_key, mark="@revoked")
    assert "not in known_hosts" in await failed(works)
    works.knows(works.host_key, mark="@cert-authority")
    assert "not in known_hosts" in await failed(works)
    (works.home / ".ssh" / "known_hosts").unlink()
    said = await failed(works)
    assert f"it is not in known_hosts): run `ssh {works.address}` once as the bot's user" in said
    assert works.users == [], "no key was offered to any of them"


async def test_a_revoked_key_is_not_accepted_from_another_line(works: Far) -> None:
    works.knows(works.host_key)
    works.knows(works.host_key, mark="@revoked", name="known_hosts2")
    assert "not in known_hosts" in await failed(works)


async def test_a_damaged_line_of_known_hosts_spoils_only_itself(works: Far) -> None:
    file = works.home / ".ssh" / "known_hosts"
    file.write_text(
        f"@cert-authority *.lan ssh-rsa AAAA\nnas ssh-rsa !!!\nnas ecdsa x\nx\n\n# {file.read_text()}{file.read_text()}"
    )
    assert await asked(works)


async def test_what_is_wrong_with_a_key_is_said(works: Far) -> None:
    works.welcome = a_key()
    assert "rejected the SSH key: put the bot's public key on 127.0.0.1" in await failed(works)
    key = works.home / ".ssh" / "id_ecdsa"
    works.welcome.write_private_key_file(str(key), password="a passphrase")
    assert "the SSH key has a passphrase" in await failed(works)
    key.unlink()
    assert "the bot's user has no SSH key): make one with ssh-keygen" in await failed(works)


async def test_what_is_wrong_with_the_connection_is_said(far: Far) -> None:
    server = await serve(docker_app(World(3), "nas"))
    assert "nothing speaks SSH there" in await failed(far, f"ssh://me@127.0.0.1:{server.port}")
    await server.stop()
    assert "connection refused): check that it runs" in await failed(far, "ssh://me@127.0.0.1:1")
    assert "its name is unknown): correct it" in await failed(far, "ssh://me@nas.invalid")


async def test_the_users_own_configuration_leads_the_way(works: Far) -> None:
    (works.home / ".ssh" / "known_hosts").rename(works.home / ".ssh" / "mine")
    (works.home / ".ssh" / "id_ecdsa").rename(works.home / ".ssh" / "nas key")
    works.config(
        "Host other\n  User nobody\nHost nas\n  HostName 127.0.0.1\n"
        f'  Port {works.port}\n  User admin\n  UserKnownHostsFile ~/.ssh/mine\n  IdentityFile "~/.ssh/nas key"\n'
        "  IdentitiesOnly yes\n  Ciphers -*cbc*,aes128-ctr,aes192-ctr\n  ForwardAgent yes\n"
    )
    assert await asked(works, "ssh://nas")
    assert works.users == ["admin"] and works.ciphers[0] not in ("aes128-ctr", "aes192-ctr")
    works.config(f"Include part*\nHost *\n  Port {works.port}\n")
    works.config("Host nas\n  HostName 127.0.0.1\n  User included\n  UserKnownHostsFile ~/.ssh/mine\n", "part1")
    works.config("IdentityFile ~/.ssh/nas key\nInclude part2\n", "part2")  # which includes itself
    assert await asked(works, "ssh://nas") and works.users[-1] == "included"


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("ProxyJump bastion", "proxyjump for nas.*ProxyCommand ssh -W"), ("HostKeyAlias other", "hostkeyalias"),
        ("RevokedHostKeys /etc/revoked", "revokedhostkeys"), ("KnownHostsCommand /bin/x", "knownhostscommand"),
        ("CertificateFile ~/.ssh/x", "certificatefile"), ("IdentityAgent ~/agent", "identityagent"),
        ("Include more", "include for nas.*above the first Host"), ("BindAddress 127.0.0.9", "bindaddress"),
        ("Ciphers chacha20-poly1305@openssh.com", "ciphers.*knows none"),
        ("KexAlgorithms no-such", "kexalgorithms"), ("HostKeyAlgorithms ssh-dss", "hostkeyalgorithms"),
    ],
)  # fmt: skip
async def test_what_cannot_be_obeyed_is_refused(works: Far, option: str, why: str) -> None:
    works.config(f"Host nas\n  HostName 127.0.0.1\n  {option}\n")
    with pytest.raises(ToolFailed, match=why):
        await asked(works, f"ssh://me@nas:{works.port}")
    assert works.users == []
    works.config(f"Host elsewhere\n  {option}\nHost nas\n  HostName 127.0.0.1\n  ProxyJump none\n")
    assert await asked(works, f"ssh://me@nas:{works.port}"), "it is not about this host"


async def test_a_configuration_that_cannot_be_read_is_said(works: Far) -> None:
    for text in ("Host nas\n  !!!\n", "Host x\nMatch host 127.0.0.1 exec true\n  User x\n", "\0\n", "Port soon\n"):
        works.config(text)
        assert "the ssh configuration has" in await failed(works)
    works.config("Host 127.0.0.1\n  ProxyCommand /no/such/program %h\n")
    assert "/no/such/program cannot be used" in await failed(works)


def test_an_agent_offers_only_the_keys_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, other = a_key(), a_key()

    def both(self: Any) -> None:
        self._keys, self._conn = (named, other), None

    monkeypatch.setattr(paramiko.Agent, "__init__", both)
    (tmp_path / "id.pub").write_text(f"{named.get_name()} {named.get_base64()} me@here\n")
    assert ssh_config._Named([str(tmp_path / "id"), str(tmp_path / "none")]).get_keys() == (named,)
