"""The Docker hosts of the simulated homelab: an engine each, and the API that it is spoken to with."""

from lab.services.docker.sayings import intents

__all__ = ["intents"]
