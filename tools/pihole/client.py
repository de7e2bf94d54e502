"""Where the Pi-holes are, and how one is spoken to."""

from collections.abc import Sequence
from typing import Annotated, Any

from tools.kit import (
    Addresses,
    Api,
    Area,
    Field,
    HttpSettings,
    Instances,
    Link,
    Login,
    Refused,
    Secrets,
    Service,
    ToolFailed,
    Which,
)
from tools.kit.failures import quote

Holes = Instances[Api]
Some = Annotated[list[Which], Field(max_length=16, description="Which Pi-holes; all of them by default.")]
Names = Sequence[str] | None


class Settings(HttpSettings, env_prefix="PIHOLE_"):
    """Where the Pi-holes are."""

    url: Addresses = {}
    """Its address, e.g. http://pi.hole; several with commas, or as {"name": "http://host"}. Empty: off."""
    password: Secrets = {}
    """An application password (Settings, Web interface / API); for several Pi-holes as {"name": "password"}."""


def _session(answer: Any) -> dict[str, str]:
    sid = answer["session"]["sid"]
    return {"X-FTL-SID": sid} if sid else {}  # a Pi-hole without a password wants no session


def _judge(status: int, body: Any) -> ToolFailed | None:
    """FTL answers 201 for what it did not do, and says so further down."""
    errors = body.get("processed", {}).get("errors") if isinstance(body, dict) else None
    if not errors:
        return None
    refused = Refused(f"Pi-hole refused this ({quote(str(errors[0].get('error')))}): look at its list first.")
    refused.outside = True
    return refused


async def connect(link: Link) -> Holes:
    """The Pi-holes of the settings."""
    login = Login("/auth", lambda password: {"password": password}, _session, logout="/auth")
    return Instances("Pi-hole", link.apis("Pi-hole", credential="password", login=login, base="/api", judge=_judge))


service = Service("pihole", area=Area.NETWORK, settings=Settings, connect=connect, hosts=True)
