"""Where the cluster is, and how it is spoken to."""

from collections.abc import Iterable

from tools.kit import Addresses, Area, Link, Service, Unauthorised
from tools.kit import proxmox as kit
from tools.kit.proxmox import TokenSettings

Cluster = kit.Proxmox


class Settings(TokenSettings, env_prefix="PROXMOX_"):
    """Where the cluster is."""

    url: Addresses = {}
    """Its address, e.g. https://pve1.lan:8006; of a cluster several nodes with commas, asked in turn. Empty: off."""


async def connect(link: Link) -> Cluster:
    """The cluster of the settings, by whichever of its nodes can be reached."""
    return Cluster("Proxmox VE", "PVE", list(link.settings.places()), link.settings, link.access)


service = Service("proxmox", area=Area.INFRASTRUCTURE, settings=Settings, connect=connect)
service.follow(kit.follow)


async def seen(client: Cluster, found: bool, what: str, path: str, *privileges: str) -> None:
    """Raises Unauthorised when nothing was found because the token may see nothing: its answers are empty then."""
    if found:
        return
    held = await client.read(dict[str, dict[str, int]], "/access/permissions")
    missing = [name for name in privileges if not _granted(held, path, name)]
    if missing:
        raise Unauthorised(
            f"Your token cannot see {what}: it lacks {', '.join(missing)} on {path}. On a node run `pveum role add"
            f" Rackhand{what.capitalize()} --privs '{' '.join(missing)}'` and `pveum acl modify {path} --tokens"
            f" '{client.token}' --roles Rackhand{what.capitalize()}`, and the same for its user with --users.",
            rejected=False,
        )


def _granted(held: dict[str, dict[str, int]], path: str, privilege: str) -> bool:
    """Whether it holds on this path, above it, or somewhere below."""
    places: Iterable[str] = (at for at, names in held.items() if privilege in names)
    return any(at == "/" or at == path or at.startswith(f"{path}/") or at.startswith("/pool") for at in places)
