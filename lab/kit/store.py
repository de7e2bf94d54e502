"""Things that a service keeps: found, added, changed and removed, unless it lies."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Protocol

Json = dict[str, Any]


class Liar(Protocol):
    """Whatever can answer that it was done and do nothing."""

    lying: bool


class Store:
    """Rows by their key, in the order in which they came. What lies keeps everything as it was."""

    def __init__(self, owner: Liar, key: str, rows: list[Json] | None = None, *, hidden: frozenset[str] = frozenset()):
        """`key` names the field that tells rows apart; `hidden` fields (ids, times) are left out of a dump."""
        self._owner, self._key, self._hidden = owner, key, hidden
        self.rows: dict[Any, Json] = {row[key]: row for row in rows or []}

    def __iter__(self) -> Iterator[Json]:
        return iter(list(self.rows.values()))

    def __contains__(self, key: object) -> bool:
        return key in self.rows

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, key: Any) -> Json | None:
        """The row, or None."""
        return self.rows.get(key)

    def where(self, **fields: Any) -> list[Json]:
        """The rows with these values."""
        return [row for row in self if all(row.get(name) == value for name, value in fields.items())]

    def put(self, row: Json) -> Json:
        """The row as it is now; a row with the same key is replaced."""
        if not self._owner.lying:
            self.rows[row[self._key]] = row
        return row

    def change(self, key: Any, **fields: Any) -> Json:
        """The row with other values. Raises KeyError."""
        row = self.rows[key]
        return self.put({**row, **fields})

    def remove(self, key: Any) -> bool:
        """Whether there was such a row."""
        found = key in self.rows
        if found and not self._owner.lying:
            del self.rows[key]
        return found

    def next_id(self) -> int:
        """A number that no row has."""
        return max((key for key in self.rows if isinstance(key, int)), default=0) + 1

    def dump(self) -> list[Json]:
        """Every row without its hidden fields, sorted."""
        shown = [{name: deepcopy(value) for name, value in row.items() if name not in self._hidden} for row in self]
        return sorted(shown, key=lambda row: sorted((name, str(value)) for name, value in row.items()))
