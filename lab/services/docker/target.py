"""Which host of which world a request is about."""

from dataclasses import dataclass

from starlette.requests import Request

from lab.services.docker.engine.host import Host
from lab.world import World


@dataclass(frozen=True)
class Target:
    """The host behind one simulated daemon, and the world it is in."""

    world: World
    host: Host


def target(request: Request) -> Target:
    """The host this request is about."""
    found: Target = request.app.state.target
    return found
