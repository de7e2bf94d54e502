"""What the model has cost: one row a request, written before it is made."""

from dataclasses import dataclass

from memory.database import Database, Transaction


@dataclass(frozen=True)
class Tokens:
    """Tokens of one request; `input` excludes what was read from or written to the cache."""

    input: int
    cache_read: int
    cache_write: int
    output: int

    @property
    def prompt(self) -> int:
        """Everything that was sent."""
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True)
class Spent:
    """Sums over a period."""

    requests: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    usd: float


class Usage:
    """Token and dollar counts."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def record(self, tx: Transaction, run: str, model: str, tokens: Tokens, usd: float) -> int:
        """One request: what it cost, or the most it can cost until `settle` says more. Returns its row."""
        row = await tx.one(
            "INSERT INTO usage (run, at, model, input, cache_read, cache_write, output, usd)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            run, self.database.now(), model, tokens.input, tokens.cache_read, tokens.cache_write, tokens.output, usd,
        )  # fmt: skip
        assert row is not None, "an insert returns its row"
        return int(row["id"])

    def settle(self, row: int, tokens: Tokens, usd: float) -> None:
        """What a recorded request has really cost. Should we die before it is written, the most stays booked."""
        self.database.later(
            "UPDATE usage SET input = ?, cache_read = ?, cache_write = ?, output = ?, usd = ? WHERE id = ?",
            tokens.input, tokens.cache_read, tokens.cache_write, tokens.output, usd, row,
        )  # fmt: skip

    def release(self, row: int) -> None:
        """A recorded request was not made, or not answered."""
        self.database.later("DELETE FROM usage WHERE id = ?", row)

    async def last_of(self, tx: Transaction, run: str, model: str) -> Tokens | None:
        """The run's latest request, when it went to this model: another counts tokens differently."""
        row = await tx.one("SELECT * FROM usage WHERE run = ? ORDER BY id DESC LIMIT 1", run)
        if row is None or row["model"] != model:
            return None
        return Tokens(row["input"], row["cache_read"], row["cache_write"], row["output"])

    async def usd(self, tx: Transaction, run: str, moment: float) -> tuple[float, float]:
        """Dollars that a run has spent, and that all have spent after a moment."""
        row = await tx.one(
            "SELECT (SELECT total(usd) FROM usage WHERE run = ?) AS run,"
            " (SELECT total(usd) FROM usage WHERE at > ?) AS after",
            run, moment,
        )  # fmt: skip
        assert row is not None, "an aggregate always has a row"
        return row["run"], row["after"]

    async def since(self, moment: float) -> Spent:
        """Everything spent after a moment."""
        return await self._sum("at > ?", moment)

    async def of_run(self, run: str) -> Spent:
        """Everything a run has spent."""
        return await self._sum("run = ?", run)

    async def _sum(self, where: str, value: float | str) -> Spent:
        row = await self.database.one(
            "SELECT count(*) AS n, coalesce(sum(input + cache_write), 0) AS i, coalesce(sum(cache_read), 0) AS c,"
            f" coalesce(sum(output), 0) AS o, coalesce(sum(usd), 0.0) AS usd FROM usage WHERE {where}",
            value,
        )
        assert row is not None, "an aggregate always has a row"
        return Spent(row["n"], row["i"], row["c"], row["o"], row["usd"])
