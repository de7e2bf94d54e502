"""Pi-hole: what the generated tests need to know of it, and what is special about it."""

from typing import Any

from lab.services.pihole import Hole
from tests.generated.stages import Args, Move, Stage
from tests.place import Place

ADS, LIST, NAS = "ads.example.com", "https://lists.example.net/malware.txt", "192.0.2.10 nas.home.arpa"
WAIT = frozenset({"failed"})


def hole(place: Place, name: str = "attic") -> Hole:
    found: Hole = place.lab.twins["pihole"].holes[name]  # type: ignore[attr-defined]
    return found


def turned(on: bool) -> Move:
    def move(place: Place) -> Any:
        hole(place).blocking.change("dns", blocking=on)

    return move


async def paused(place: Place) -> dict[str, Any]:
    for name in ("attic", "cellar"):
        hole(place, name).blocking.change("dns", blocking=False, until=place.lab.twins["pihole"].now() + 300)
    return {}


def ruled(type_: str, domain: str = "cdn.example.net") -> Move:
    return lambda place: hole(place).ruled(type_, "exact", {"domain": domain})


def unruled(type_: str, domain: str) -> Move:
    return lambda place: hole(place).domains.remove((type_, "exact", domain))


def both(**moves: Move) -> dict[str, Move]:
    """An entry that comes or goes moves both facts."""
    [move] = moves.values()
    return {"on": move, "not_on": move}


async def removed_rule(place: Place) -> dict[str, Any]:
    from tests.fakes import use

    await place.ask(use("pihole_remove_denied_domain", domain=ADS))
    await place.approve()
    return {"net": (await place.call()).net}


def another(place: Place) -> Any:
    return hole(place).ruled("deny", "exact", {"domain": "more.example.com"})


CDN = {"domain": "cdn.example.net"}
PRINTER = {"name": "printer.home.arpa", "address": "192.0.2.77"}
STAGES: dict[str, Stage | Args] = {
    "pihole_enable_blocking": Stage(paused, {"blocking": turned(True), "paused": turned(True)}, fixed=WAIT),
    "pihole_disable_blocking": Stage({"minutes": 5}, {"blocking": turned(False), "paused": turned(False)}, fixed=WAIT),
    "pihole_allow_domain": Stage(CDN, both(move=ruled("allow"))),
    "pihole_deny_domain": Stage(CDN, both(move=ruled("deny"))),
    "pihole_remove_allowed_domain": Stage(
        {"domain": "mail.example.org"}, both(move=unruled("allow", "mail.example.org"))
    ),
    "pihole_remove_denied_domain": Stage({"domain": ADS}, both(move=unruled("deny", ADS))),
    "pihole_add_list": Stage(
        {"address": LIST}, both(move=lambda place: hole(place, "cellar").listed("block", {"address": LIST}))
    ),
    "pihole_remove_list": Stage(
        {"address": LIST}, both(move=lambda place: hole(place, "cellar").listed("block", {"address": LIST}))
    ),
    "pihole_add_local_dns": Stage(
        PRINTER, both(move=lambda place: hole(place).hosts.put({"line": "192.0.2.77 printer.home.arpa"}))
    ),
    "pihole_remove_local_dns": Stage(
        {"name": "nas.home.arpa", "address": "192.0.2.10"}, both(move=lambda place: hole(place).hosts.remove(NAS))
    ),
    "pihole_update_gravity": Stage({}, {"domains": lambda place: hole(place).lists.remove(("block", LIST))}),
    "pihole_put_back": Stage(removed_rule, {"missing": ruled("deny", ADS)}, fixed=frozenset({"too_many"})),
    "pihole_sync_piholes": Stage({"source": "attic"}, {"missing": another}, fixed=frozenset({"too_many"})),
    "pihole_find_blocking_rule": {"domain": ADS},
}
