"""A server of Network UPS Tools (NUT): its line protocol, and its refusals in our words."""

import shlex

from tools.kit.errors import BadAnswer, Conflict, Gone, Refused, ToolFailed, Unauthorised
from tools.kit.failures import quote
from tools.kit.lines import Lines, Talk


class Silent(Conflict):
    """The server runs, and hears nothing from the UPS."""


ERRORS: dict[str, tuple[type[ToolFailed], str]] = {
    "DATA-STALE": (Silent, "hears nothing from the UPS: check that its cable is plugged in"),
    "DRIVER-NOT-CONNECTED": (Silent, "has no driver running for the UPS: check its cable, then start nut-driver"),
    "UNKNOWN-UPS": (Gone, "has no UPS of this name: list them again"),
    "CMD-NOT-SUPPORTED": (Conflict, "says that this UPS cannot do this at command"),
    "ACCESS-DENIED": (Unauthorised, "does not permit this: give the user `instcmds` in upsd.users"),
}


class Server(Lines):
    """A NUT server."""

    only, user, password = "", "", ""

    async def names(self) -> list[str]:
        """Its UPSes, or the one that the settings name."""
        return [row[1] for row in await self.talk(lambda talk: self._listed(talk, "UPS")) if self.only in ("", row[1])]

    async def variables(self, ups: str) -> dict[str, str]:
        """Everything that a UPS says of itself. Raises Silent where its driver hears nothing from it."""
        return {row[2]: row[3] for row in await self.talk(lambda talk: self._listed(talk, f"VAR {ups}")) if row[3:]}

    async def command(self, ups: str, command: str) -> None:
        """Have a UPS do something. Raises ToolFailed."""

        async def said(talk: Talk) -> None:
            for line in (f"USERNAME {self.user}", f"PASSWORD {self.password}", f"INSTCMD {ups} {command}"):
                self._checked(await talk.say(line))

        if not (self.user and self.password):
            raise Unauthorised(f"Set UPS_USERNAME and UPS_PASSWORD: {self.service} tests for its users alone.")
        await self.talk(said, write=True)

    async def _listed(self, talk: Talk, what: str) -> list[list[str]]:
        self._checked(await talk.say(f"LIST {what}"))
        rows: list[list[str]] = []
        while not (line := self._checked(await talk.hear())).startswith("END LIST"):
            try:
                rows.append(shlex.split(line))
            except ValueError:
                raise BadAnswer(f"{self.service} answered a line that does not end: check its version.") from None
        return [row for row in rows if len(row) > 1]

    def _checked(self, line: str) -> str:
        if not line.startswith("ERR"):
            return line
        kind, said = ERRORS.get(line[4:].split(" ")[0], (Refused, "refused this ({}): look at its own log"))
        error: ToolFailed = kind(f"{self.service} {said.format(quote(line[4:]))}.")
        error.outside = "{}" in said
        raise error
