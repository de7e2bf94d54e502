"""Tests are kept on this machine and away from its owner's settings."""

import os
import socket
from pathlib import Path

import httpx
import pytest

from tests.conftest import NetworkForbidden


def test_nothing_leaves_this_machine() -> None:
    with socket.socket() as sock, pytest.raises(NetworkForbidden):
        sock.connect(("192.0.2.1", 80))
    with socket.socket() as sock, pytest.raises(NetworkForbidden):
        sock.connect_ex(("192.0.2.1", 80))
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("api.anthropic.com", 443)


def test_neither_does_a_client_library() -> None:
    with httpx.Client(trust_env=False) as client:
        for address in ("http://192.0.2.1/", "http://example.com/"):
            with pytest.raises((NetworkForbidden, httpx.ConnectError)):
                client.get(address)


def test_loopback_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_no_setting_of_the_owner_is_seen() -> None:
    assert not [name for name in os.environ if "TOKEN" in name or "API_KEY" in name or name.endswith("_proxy")]
    assert not Path(".env").exists()
