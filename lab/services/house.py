"""What people ask of the house, which looks across the services and is none itself: it has no twin."""

from lab.kit import Intent, Json
from lab.rack import MACHINES

NAMES = ("nas.home.arpa", "printer.home.arpa", *(machine.name for machine in MACHINES))
NAMES += tuple(dict.fromkeys(one.name for machine in MACHINES for one in machine.containers))


def _down(data: Json) -> list[str]:
    return [f"**{one['name']}** was not asked: {one['reason']}" for one in data["down"]]


def _thing(one: Json) -> str:
    """`the container **jellyfin** on nas, port 8096/tcp, as docker says`."""
    thing = one["thing"]
    name = f"{thing['kind']} **{thing['name']}**" if "name" in thing else f"{thing['kind']} without a name"
    where = f" on {thing['host']}" if "host" in thing else ""
    at = [*thing["addresses"], *thing["macs"], *(f"port {port}" for port in thing["ports"])]
    return f"the {', '.join([name + where, *at])}, as {one['service']} says"


def _explained(data: Json) -> str:
    said = [f"- {_thing(one)}" + ("" if one["why"] == "called so" else f" ({one['why']})") for one in data["said"]]
    return "\n".join([*(said or ["Nobody who was asked knows it."]), *_down(data)])


def _compared(data: Json) -> str:
    lost = [
        f"- **{name['name']}** points to {', '.join(name['addresses'])}, where nobody knows anything"
        for name in data.get("lost_names", [])
    ]
    nameless = [f"- no local name points to **{host}**" for host in data.get("nameless_hosts", [])]
    disputes = [f"- {one['address']} is {'; '.join(map(_thing, one['said']))}" for one in data["disputes"]]
    alike = "They agree." if "lost_names" in data else "Too few have answered to tell whether they agree."
    return "\n".join([*(lost + nameless + disputes or [alike]), *_down(data)])


DOTS = {"unprotected": "🔴", "attention": "🟡", "unknown": "⚪", "protected": "🟢"}


def _backups(data: Json) -> str:
    bad = [one for one in data["verdicts"] if one["state"] != "protected"]
    lines = [f"- {DOTS[one['state']]} **{one.get('name') or one['id']}** ({one['kind']} {one['id']}): {one['why']}"
             for one in bad]  # fmt: skip
    home = [str(one.get("name") or one["id"]) for one in data["verdicts"] if one.get("offsite") is False]
    lines += [f"Only here, with no copy elsewhere: {', '.join(home)}."] if home else []
    return "\n".join([data["conclusion"], *lines, *_down(data)])


intents = (
    Intent("house_explain", ("what is {name:address}", "explain {name:address}", "was ist {name:address}",
           "qué es {name:address}"), _explained),
    Intent("house_explain", ("explain {name}", "what is {name}", "erkläre {name}", "was ist {name}", "explica {name}",
           "qué es {name}"), _explained, words={"name": NAMES}, most_left=0),
    Intent("house_check_backups", ("are my backups fine", "is my backup fine", "backups ok", "backups working",
           "sind meine Backups in Ordnung", "están bien mis copias", "copias de seguridad bien"), _backups),
    Intent("house_compare_inventories", ("my inventories agree", "compare inventories", "names lead nowhere",
           "Inventare einig", "inventarios coinciden"), _compared),
)  # fmt: skip
