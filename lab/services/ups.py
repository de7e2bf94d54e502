"""Two simulated UPSes behind one NUT server, which speaks its line protocol over TCP."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp

from lab.kit import Intent, Json, Store, Twin

TEST = "test.battery.start.quick"
READING = frozenset({"LIST", "GET", "VER", "NETVER", "HELP", "USERNAME", "PASSWORD", "LOGIN", "LOGOUT"})


def _told(name: str, one: Json) -> str:
    if one["state"] == "not heard from":
        return f"**{name}** is not heard from: {one['trouble']}"
    minutes = one.get("runtime_s", 0) // 60
    load, charge = one.get("load_percent", "?"), one.get("charge_percent", "?")
    return f"**{name}** is {one['state']}: load {load} %, charge {charge} %, lasts {minutes:.0f} min"


def _listed(data: Json) -> str:
    return "\n".join([*(f"- {_told(name, one)}" for name, one in data["found"].items()),
                      *(f"- **{one['name']}**: {one['reason']}" for one in data["down"])])  # fmt: skip


class UpsServer(Twin):
    """One server called rack: the UPS of the rack, and one in the attic."""

    name = "ups"
    intents = (
        Intent("ups_list_ups", ("how is my ups", "ups status", "how long does the battery last", "wie geht es der usv",
               "usv status", "cómo está el sai"), _listed),
        Intent("ups_run_ups_test", ("test {ups} battery", "teste {ups} batterie", "prueba batería {ups}"),
               words={"ups": ("rack", "attic")}),
    )  # fmt: skip

    def __init__(self, seed: int = 1, **more: Any) -> None:
        super().__init__(seed, **more)
        self.user, self.password = "rackhand", self.secret()
        self.upses = Store(self, "name", hidden=frozenset({"ups.test.result"}))
        rack = {"ups.status": "OL CHRG", "ups.load": "31", "battery.charge": "97", "battery.runtime": "2160"}
        attic = {"ups.status": "OL", "ups.load": "12", "battery.charge": "100", "battery.runtime": "5400"}
        for name, battery, variables in (("rack", "2021-04-02", rack), ("attic", "2025-09-14", attic)):
            more = {"battery.date": battery, "ups.model": "Back-UPS 900", "ups.test.result": "No test initiated"}
            self.upses.put({"name": name, "stale": "", **variables, **more})

    def apps(self) -> Mapping[str, ASGIApp]:
        """Nothing over HTTP."""
        return {}

    def sessions(self) -> Mapping[str, Callable[[], Callable[[str], str]]]:
        """Its only server."""
        return {"rack": self._session}

    def environment(self, urls: Mapping[str, str]) -> Mapping[str, str]:
        """Where it is, and who may test."""
        address = urls["rack"].replace("tcp:", "nut:")
        return {"UPS_URL": f'{{"rack": "{address}"}}', "UPS_USERNAME": self.user, "UPS_PASSWORD": self.password}

    def changes(self, method: str, path: str) -> bool:
        """Whether a line could change something."""
        return method not in READING

    def _session(self) -> Callable[[str], str]:
        said: dict[str, str] = {}

        def answer(line: str) -> str:
            verb, _, rest = line.partition(" ")
            if verb in ("USERNAME", "PASSWORD"):
                said[verb] = rest
                return "OK\n"
            if verb == "LIST":
                return self._list(rest)
            if verb == "INSTCMD":
                return self._command(said, *rest.partition(" ")[::2])
            return "OK Goodbye\n" if verb == "LOGOUT" else "ERR UNKNOWN-COMMAND\n"

        return answer

    def _list(self, what: str) -> str:
        kind, _, name = what.partition(" ")
        if kind == "UPS":
            rows = [f'UPS {row["name"]} "APC in the house"' for row in self.upses]
        else:
            row = self.upses.get(name)
            if row is None:
                return "ERR UNKNOWN-UPS\n"
            if row["stale"]:
                return f"ERR {row['stale']}\n"
            rows = [f'VAR {name} {key} "{value}"' for key, value in row.items() if "." in key]
        return "\n".join([f"BEGIN LIST {what}", *rows, f"END LIST {what}", ""])

    def _command(self, said: Mapping[str, str], name: str, command: str) -> str:
        row = self.upses.get(name)
        if row is None:
            return "ERR UNKNOWN-UPS\n"
        if (said.get("USERNAME"), said.get("PASSWORD")) != (self.user, self.password):
            return "ERR ACCESS-DENIED\n"
        if command != TEST:
            return "ERR CMD-NOT-SUPPORTED\n"
        self.upses.change(name, **{"ups.test.result": "Done and passed"})
        return "OK\n"

    def rows(self) -> list[Json]:
        """A row for each UPS."""
        return [
            {"name": row["name"], "dot": "bad" if row["stale"] else "good" if "OL" in row["ups.status"] else "odd",
             "state": row["stale"] or row["ups.status"], "detail": f"{row['battery.charge']} % charged"}
            for row in self.upses
        ]  # fmt: skip

    def suggestions(self) -> list[str]:
        """What to ask of it."""
        return ["how is my ups?"]


twin = UpsServer
