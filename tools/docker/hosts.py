"""The Docker hosts: one engine each, asked in threads of its own, and the service they form."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from tools.docker.settings import Options, Settings
from tools.kit import Access, Area, Gone, Instances, Link, Service
from tools.kit.breaker import Breaker
from tools.kit.raw import Raw
from tools.kit.sdk import Sdk
from tools.kit.spare import spared

if TYPE_CHECKING:
    from tools.docker.session import Session
    from tools.kit.registries.client import Registries

READ_PATIENCE, WRITE_PATIENCE, LONG_PATIENCE = 20.0, 50.0, 280.0
"""Seconds that one request may take, its whole answer included: a read, a change, a pull or a clean-up."""

USUAL = Options()


class Engine(Sdk["Session"]):
    """One Docker host."""

    def __init__(
        self, name: str, address: str, access: Access, breaker: Breaker | None = None, options: Options = USUAL
    ) -> None:
        self.name, self.address, self._options = name, address, options
        usual, longest = (READ_PATIENCE,) * 2 if access is Access.READ else (WRITE_PATIENCE, LONG_PATIENCE)
        super().__init__(f"Docker on {name}", access, breaker or Breaker(name), patience=usual, longest=longest)

    def open(self, patience: float) -> "Session":
        """A connection to the engine. Raises ToolFailed."""
        spared("docker.transport", without="docker.transport.sshconn")  # and with it all of paramiko
        from tools.docker.session import Session

        return Session(self.service, self.address, self.access, patience, self._options)

    async def image(self, name: str) -> Raw | None:
        """One image, inspected; None when it is not there. Raises ToolFailed."""
        try:
            return await self.ask(lambda api: api.image(name))
        except Gone:
            return None


class DockerHosts(Instances[Engine]):
    """Every configured Docker host."""

    def __init__(
        self,
        addresses: dict[str, str],
        access: Access,
        breaker: Callable[[str], Breaker] = Breaker,
        options: Options = USUAL,
    ) -> None:
        self.options = options
        engines = {
            name: Engine(name, address, access, breaker(name), options.of(name)) for name, address in addresses.items()
        }
        super().__init__("Docker host", engines)
        self._registries: Registries | None = None

    @property
    def registries(self) -> "Registries":
        """What images come from."""
        if self._registries is None:
            from tools.kit.registries.client import Registries
            from tools.kit.registries.keyring import Keyring

            keyring = Keyring(self.options.folder, self.options.auths)
            self._registries = Registries(lambda registry: keyring.find(registry)[0], self.options.registries)
        return self._registries

    async def close(self) -> None:
        """Hang up on all."""
        if self._registries is not None:
            await self._registries.close()
        await super().close()


async def connect(link: Link) -> DockerHosts:
    """The hosts of the settings. Nothing is sent before the first call."""
    return DockerHosts(link.settings.hosts, link.access, link.breaker, link.settings.options)


service = Service("docker", area=Area.INFRASTRUCTURE, settings=Settings, connect=connect, hosts=True)


@service.advice
async def advice(hosts: DockerHosts) -> list[str]:
    """What is wrong with the docker command's own files."""
    from tools.kit.registries.keyring import Keyring

    trouble = await asyncio.to_thread(Keyring(hosts.options.folder, hosts.options.auths).trouble)
    return [trouble] if trouble else []
