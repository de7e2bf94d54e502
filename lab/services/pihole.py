"""Two simulated Pi-holes (v6): blocking with its timer, lists and domains, local names, statistics, sixteen seats."""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp

from lab.kit import Answer, Asked, Intent, Json, Refusal, Sessions, Store, Twin, api

DAY = 86_400
STAMPS = frozenset({"id", "date_added", "date_modified", "date_updated", "number", "invalid_domains", "status"})
LISTS = {
    "https://lists.example.net/ads.txt": 131_072,
    "https://lists.example.net/trackers.txt": 48_211,
    "https://lists.example.net/malware.txt": 9_034,
}
CLIENTS = (("192.0.2.20", "living-room-tv", 9_120), ("192.0.2.31", "anna-phone", 6_412), ("192.0.2.44", "", 1_877))
ASKED = (
    ("ads.example.com", 4_310),
    ("telemetry.example.org", 2_204),
    ("cdn.example.net", 1_950),
    ("mail.example.org", 990),
)
NAMES = ("192.0.2.10 nas.home.arpa", "192.0.2.11 mini.home.arpa", "192.0.2.12 printer.home.arpa")
"""The Docker hosts, and a printer that nobody has seen for long."""
KEYS = {400: "bad_request", 401: "unauthorized", 404: "not_found", 429: "api_seats_exceeded"}


def error(status: int, words: str) -> Json:
    """A refusal as FTL writes it."""
    return {"error": {"key": KEYS.get(status, "internal_error"), "message": words, "hint": None}, "took": 0.0001}


class Hole:
    """One Pi-hole."""

    def __init__(self, twin: "PiHoles", password: str, lists: list[str]) -> None:
        self.twin, self.password = twin, password
        self.sessions = Sessions(twin.now, seats=16, lifetime=1800)
        self.blocking = Store(twin, "of", [{"of": "dns", "blocking": True, "until": None}], hidden=frozenset({"until"}))
        self.domains = Store(twin, "key", hidden=STAMPS | {"key"})
        self.lists = Store(twin, "key", hidden=STAMPS | {"key"})
        self.hosts = Store(twin, "line", [{"line": line} for line in NAMES])
        self.lines = ["dhcp-option=option:dns-server,192.0.2.53,192.0.2.54"]
        self.updated = twin.now() - 3 * DAY
        for address in lists:
            self.listed("block", {"address": address, "comment": "as it comes", "groups": [0], "enabled": True})
        self.ruled(
            "allow", "exact", {"domain": "mail.example.org", "comment": "needed", "groups": [0], "enabled": True}
        )
        self.ruled("deny", "exact", {"domain": "ads.example.com", "comment": None, "groups": [0, 1], "enabled": True})

    # -- what it keeps --------------------------------------------------------------------------------------------

    def ruled(self, type_: str, kind: str, body: Json) -> Json:
        """A domain on one of its four lists."""
        key, now = (type_, kind, body["domain"]), int(self.twin.now())
        row = {"key": key, "type": type_, "kind": kind, "unicode": body["domain"], "id": self._id(self.domains)}
        usual = {"comment": None, "groups": [0], "enabled": True}
        return self.domains.put({**row, "date_added": now, "date_modified": now, **usual, **_sent(body)})

    def listed(self, type_: str, body: Json) -> Json:
        """A subscribed list."""
        key, now = (type_, body["address"]), int(self.twin.now())
        row = {"key": key, "type": type_, "id": self._id(self.lists), "date_added": now, "date_modified": now}
        figures = {"date_updated": int(self.updated), "number": LISTS.get(body["address"], 0), "invalid_domains": 0}
        usual = {"comment": None, "groups": [0], "enabled": True}
        return self.lists.put({**row, **figures, "abp_entries": 0, "status": 2, **usual, **_sent(body)})

    def state(self) -> Json:
        """Whether it blocks; a pause whose time is over is over."""
        row = self.blocking.rows["dns"]
        if row["until"] is not None and self.twin.now() >= row["until"]:
            row.update(blocking=not row["blocking"], until=None)
        left = None if row["until"] is None else row["until"] - self.twin.now()
        return {"blocking": "enabled" if row["blocking"] else "disabled", "timer": left, "took": 0.0001}

    def gravity(self) -> int:
        """Domains on its block lists."""
        return sum(row["number"] for row in self.lists.where(type="block", enabled=True))

    @staticmethod
    def _id(store: Store) -> int:
        return max((row["id"] for row in store), default=0) + 1

    # -- what it answers ------------------------------------------------------------------------------------------

    def guard(self, asked: Asked) -> None:
        """Everything but the login wants a session."""
        if not asked.url.endswith(("/api/auth", "/api/info/login")) and not self.sessions.holds(
            asked.headers.get("x-ftl-sid", "")
        ):
            raise Refusal(401, "Unauthorized")

    def log_in(self, asked: Asked) -> Answer:
        session: Json = {"valid": False, "totp": False, "sid": None, "csrf": None, "validity": -1}
        if asked.body.get("password") != self.password:
            return Answer({"session": {**session, "message": "password incorrect"}, "took": 0.1}, 401)
        sid = f"{self.twin.random.getrandbits(128):032x}="
        if not self.sessions.take(sid):
            raise Refusal(429, "API seats exceeded")
        session |= {"valid": True, "sid": sid, "csrf": f"{sid[:8]}=", "validity": 1800, "message": "password correct"}
        return Answer({"session": session, "took": 0.1})

    def log_out(self, asked: Asked) -> Answer:
        left = self.sessions.leave(asked.headers.get("x-ftl-sid", ""))
        return Answer(status=204) if left else Answer(error(401, "Unauthorized"), 401)

    def set_blocking(self, asked: Asked) -> Json:
        wanted, timer = asked.body.get("blocking"), asked.body.get("timer")
        if not isinstance(wanted, bool):
            raise Refusal(400, "No blocking status in JSON payload")
        self.state()
        self.blocking.change("dns", blocking=wanted, until=None if timer is None else self.twin.now() + timer)
        return self.state()

    def summary(self, asked: Asked) -> Json:
        queries = {"total": 48_213, "blocked": 9_642, "percent_blocked": 20.0, "unique_domains": 3_120}
        gravity = {"domains_being_blocked": self.gravity(), "last_update": int(self.updated)}
        return {"queries": queries, "clients": {"active": 14, "total": 37}, "gravity": gravity, "took": 0.001}

    def upstreams(self, asked: Asked) -> Json:
        known = (
            ("192.0.2.1", "dns.example.net", 53, 20_114),
            ("cache", "cache", -1, 18_001),
            ("blocklist", "blocklist", -1, 9_642),
        )
        rows = [
            {"ip": ip, "name": name, "port": port, "count": count, "statistics": {"response": 0.014, "variance": 0.001}}
            for ip, name, port, count in known
        ]
        return {"upstreams": rows, "forwarded_queries": 20_114, "total_queries": 48_213, "took": 0.0}

    def history(self, asked: Asked) -> Json:
        start = int(self.twin.now()) // 600 * 600 - DAY
        slots = {at: _asked_at(at) for at in range(start, start + DAY, 600)}
        rows = [
            {"timestamp": at, "total": total, "cached": total // 3, "blocked": total // 5, "forwarded": total // 3}
            for at, total in slots.items()
        ]
        return {"history": rows, "took": 0.0}

    def devices(self, asked: Asked) -> Json:
        """Whom it has seen in the network."""
        rows = [*CLIENTS, ("192.0.2.10", "nas.home.arpa", 1_204), ("192.0.2.11", "mini.home.arpa", 702)]
        now = int(self.twin.now())
        found = [
            {"id": at, "hwaddr": f"00:00:5e:00:53:{at:02x}", "interface": "eth0", "firstSeen": now - DAY,
             "lastQuery": now, "numQueries": count, "macVendor": None,
             "ips": [{"ip": ip, "name": name or None, "lastSeen": now, "nameUpdated": now}]}
            for at, (ip, name, count) in enumerate(rows[: asked.number("max_devices", 10)], 1)
        ]  # fmt: skip
        return {"devices": found, "took": 0.0}

    def add_domain(self, asked: Asked) -> Answer:
        type_, kind, domain = asked.path["type"], asked.path["kind"], asked.body.get("domain")
        if not isinstance(domain, str):
            raise Refusal(400, "No valid domain in JSON payload")
        if (type_, kind, domain) in self.domains:
            return self._processed(
                "domains", [], domain, "UNIQUE constraint failed: domainlist.domain, domainlist.type"
            )
        return self._processed("domains", [self.ruled(type_, kind, asked.body)], domain)

    def add_list(self, asked: Asked) -> Answer:
        type_, address = asked.query.get("type", "block"), asked.body.get("address")
        if not isinstance(address, str):
            raise Refusal(400, "No valid address in JSON payload")
        if (type_, address) in self.lists:
            return self._processed("lists", [], address, "UNIQUE constraint failed: adlist.address, adlist.type")
        return self._processed("lists", [self.listed(type_, asked.body)], address)

    def remove_domain(self, asked: Asked) -> Answer:
        return _gone(self.domains.remove((asked.path["type"], asked.path["kind"], asked.path["domain"])))

    def remove_list(self, asked: Asked) -> Answer:
        return _gone(self.lists.remove((asked.query.get("type", "block"), asked.path["list"])))

    def find(self, asked: Asked) -> Json:
        domain = asked.path["domain"]
        rules = [row for row in self.domains if row["domain"] == domain or _matches(row, domain)]
        lists = [{**row, "domain": domain} for row in self.lists.where(type="block") if domain == ASKED[0][0]]
        found = {"domains": _rows(rules), "gravity": _rows(lists)}
        return {"search": {**found, "results": {"total": len(rules) + len(lists)}}, "took": 0.0}

    def add_host(self, asked: Asked) -> Answer:
        line = asked.path["line"]
        if line in self.hosts:
            raise Refusal(400, "Item already present")
        self.hosts.put({"line": line})
        return Answer({"took": 0.1}, 201)

    def update_gravity(self, asked: Asked) -> str:
        if not self.twin.lying:
            self.updated = max(self.twin.now(), self.updated + 1)
        return (
            f"  [i] Target: {len(self.lists)} lists\n  [✓] Number of gravity domains: {self.gravity()}\n  [✓] Done.\n"
        )

    def app(self) -> ASGIApp:
        """Its API."""
        stats = "GET /api/stats"
        domains = "/api/domains/{type}/{kind}"
        return api(
            {
                "POST /api/auth": self.log_in,
                "DELETE /api/auth": self.log_out,
                "GET /api/dns/blocking": lambda asked: self.state(),
                "POST /api/dns/blocking": self.set_blocking,
                f"{stats}/summary": self.summary,
                f"{stats}/top_domains": _top("domains", [{"domain": name, "count": count} for name, count in ASKED]),
                f"{stats}/top_clients": _top(
                    "clients", [{"ip": ip, "name": name, "count": count} for ip, name, count in CLIENTS]
                ),
                f"{stats}/upstreams": self.upstreams,
                f"{stats}/query_types": lambda asked: {
                    "types": {"A": 30_112, "AAAA": 14_034, "HTTPS": 4_067},
                    "took": 0.0,
                },
                f"{stats}/recent_blocked": lambda asked: {"blocked": [ASKED[0][0], ASKED[1][0]], "took": 0.0},
                "GET /api/history": self.history,
                "GET /api/network/devices": self.devices,
                f"GET {domains}": lambda asked: {"domains": _rows(self.domains.where(**asked.path)), "took": 0.0},
                f"POST {domains}": self.add_domain,
                f"DELETE {domains}/{{domain:path}}": self.remove_domain,
                "GET /api/lists": lambda asked: {"lists": _rows(self.lists.where(**asked.query)), "took": 0.0},
                "POST /api/lists": self.add_list,
                "DELETE /api/lists/{list:path}": self.remove_list,
                "GET /api/search/{domain}": self.find,
                "GET /api/config/dns/hosts": lambda asked: _config("dns", hosts=[row["line"] for row in self.hosts]),
                "GET /api/config/misc/dnsmasq_lines": lambda asked: _config("misc", dnsmasq_lines=self.lines),
                "GET /api/config/dhcp/active": lambda asked: _config("dhcp", active=True),
                "PUT /api/config/dns/hosts/{line}": self.add_host,
                "DELETE /api/config/dns/hosts/{line}": lambda asked: _gone(self.hosts.remove(asked.path["line"])),
                "POST /api/action/gravity": self.update_gravity,
            },
            error=error,
            guard=self.guard,
        )

    def _processed(self, what: str, rows: list[Json], item: str, refused: str = "") -> Answer:
        done = {
            "success": [] if refused else [{"item": item}],
            "errors": [{"item": item, "error": refused}] if refused else [],
        }
        return Answer({what: _rows(rows), "processed": done, "took": 0.01}, 201)


def _each(line: Callable[[Json], str]) -> Callable[[Json], str]:
    """A line for each Pi-hole that answered, and why another did not."""

    def tell(data: Json) -> str:
        lines = [f"**{name}**: {line(one)}" for name, one in data["found"].items()]
        return "\n".join([*lines, *(f"**{one['name']}**: {one['reason']}" for one in data["down"])])

    return tell


def _reasons(one: Json) -> str:
    rules = [f"a rule {rule['type']}s it" for rule in one["rules"]]
    return ", ".join([*rules, *(f"it is on {row['address']}" for row in one["lists"])]) or "on no list"


def _redundancy(data: Json) -> str:
    names = [*data["answering"], *(one["name"] for one in data["down"])]
    fix = f" Say “make {names[1]} like {names[0]}” and I propose it." if data["alike"] is False else ""
    return f"{'Yes' if data['redundant'] else 'No'}. {data['conclusion']}{fix}"


def _differences(data: Json) -> str:
    lines = [f"- only on {name}: {', '.join(only)}" for name, only in data["only_on"].items() if only]
    return "\n".join(lines) or "They are alike."


def _stats(one: Json) -> str:
    return f"{one['percent_blocked']:.0f} % of {one['queries']:,} queries blocked, {one['clients']} clients"


def _upstreams(one: Json) -> str:
    slow = [f"{row['ip']} {1000 * row['seconds']:.0f} ms" for row in one["upstreams"] if row["port"] > 0]
    return f"answers come from {', '.join(slow)}"


INTENTS = (
    Intent("pihole_disable_blocking", ("pause blocking {minutes}", "pause dns {minutes}", "disable ads {minutes}",
           "pausiere Werbeblocker {minutes}", "pausa bloqueo {minutes}")),
    Intent("pihole_disable_blocking", ("pause blocking", "pausiere Werbeblocker", "pausa bloqueo"),
           args={"minutes": 5}),
    Intent("pihole_enable_blocking", ("resume blocking", "block again", "Werbeblocker wieder an", "reanuda bloqueo")),
    Intent("pihole_allow_domain", ("allow {domain}", "unblock {domain}", "erlaube {domain}", "permite {domain}")),
    Intent("pihole_deny_domain", ("block {domain}", "deny {domain}", "sperre {domain}", "bloquea {domain}")),
    Intent("pihole_find_blocking_rule", ("why {domain} blocked", "why can't open {domain}", "warum {domain} gesperrt",
           "por qué bloqueado {domain}"), _each(_reasons)),
    Intent("pihole_get_redundancy", ("dns redundant", "dns survive", "DNS ausfallsicher", "dns redundante"),
           _redundancy),
    Intent("pihole_compare_piholes", ("piholes alike", "compare piholes", "pi-holes gleich", "compara piholes"),
           _differences),
    Intent("pihole_sync_piholes", ("make like {source}",), words={"source": ("attic", "cellar")}),
    Intent("pihole_get_summary", ("dns stats", "how many queries", "pihole statistics", "DNS Statistik",
           "estadísticas dns"), _each(_stats)),
    Intent("pihole_get_forward_destinations", ("why dns slow", "warum DNS langsam", "por qué dns lento"),
           _each(_upstreams)),
    Intent("pihole_add_local_dns", ("name {address} {name:domain}", "{name:domain} point {address}")),
)  # fmt: skip


class PiHoles(Twin):
    """Both of them; the second lacks a list that the first has."""

    name = "pihole"
    quiet = frozenset({"POST /api/auth", "DELETE /api/auth"})
    intents = INTENTS

    def __init__(self, seed: int = 1, **more: Any) -> None:
        super().__init__(seed, **more)
        addresses = list(LISTS)
        self.holes = {
            "attic": Hole(self, self.secret(), addresses),
            "cellar": Hole(self, self.secret(), addresses[:2]),
        }

    def apps(self) -> Mapping[str, ASGIApp]:
        """A server for each."""
        return {name: hole.app() for name, hole in self.holes.items()}

    def environment(self, urls: Mapping[str, str]) -> Mapping[str, str]:
        """Both, by name."""
        passwords = {name: hole.password for name, hole in self.holes.items()}
        return {"PIHOLE_URL": json.dumps(dict(urls)), "PIHOLE_PASSWORD": json.dumps(passwords)}

    def dump(self) -> Json:
        """What each keeps."""
        kept = ("blocking", "domains", "lists", "hosts")
        return {name: {part: getattr(hole, part).dump() for part in kept} for name, hole in self.holes.items()}

    def rows(self) -> list[Json]:
        """A row each for the page."""
        return [
            {"name": name, "dot": "good" if hole.state()["blocking"] == "enabled" else "odd",
             "state": "blocks" if hole.state()["blocking"] == "enabled" else "paused",
             "detail": f"{hole.gravity():,} domains, {len(hole.domains)} rules, {len(hole.hosts)} names"}
            for name, hole in self.holes.items()
        ]  # fmt: skip

    def meddle(self, card: str) -> str:
        """Somebody else at the first Pi-hole: its switch, or the rule that the card is about."""
        hole = self.holes["attic"]
        if "DNS blocking" in card:
            on = not hole.blocking.rows["dns"]["blocking"]
            hole.blocking.change("dns", blocking=on, until=None)
            return f"Somebody else {'resumed' if on else 'paused'} blocking on attic."
        if match := re.match(r"(Allow|Block) (\S+)", card):
            hole.ruled("allow" if match[1] == "Allow" else "deny", "exact", {"domain": match[2]})
            return f"Somebody else put {match[2]} on a list of attic."
        return ""

    def suggestions(self) -> list[str]:
        """What to ask of it."""
        return ["is my DNS redundant?"]


def _top(what: str, rows: list[Json]) -> Callable[[Asked], Json]:
    """The first of these, as many as somebody asks for."""
    sums: Json = {"total_queries": 48_213, "blocked_queries": 9_642, "took": 0.0}
    return lambda asked: {what: rows[: asked.number("count", 10)], **sums}


def _asked_at(moment: int) -> int:
    """Queries in ten minutes: few at night, most in the afternoon."""
    return 170 + int(460 * max(0.0, math.sin(math.pi * (moment % DAY / 3600 - 6) / 17)) ** 2)


def _sent(body: Json) -> Json:
    return {
        name: value for name, value in body.items() if name in ("domain", "address", "comment", "groups", "enabled")
    }


def _rows(rows: list[Json]) -> list[Json]:
    return [{name: value for name, value in row.items() if name != "key"} for row in rows]


def _matches(row: Json, domain: str) -> bool:
    return row["kind"] == "regex" and re.search(row["domain"], domain) is not None


def _gone(found: bool) -> Answer:
    return Answer(status=204) if found else Answer(error(404, "Not found"), 404)


def _config(section: str, **values: Any) -> Json:
    return {"config": {section: values}, "took": 0.001}


twin = PiHoles
