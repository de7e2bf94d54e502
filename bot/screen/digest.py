"""The scheduler's ports: its findings in words and buttons."""

from bot.screen.render import escape
from bot.screen.view import Format, View
from memory.database import Transaction
from memory.models import Digest
from memory.outbox import Outbox

MOST_LINES = 8


class TelegramNotifier:
    """Writes through the outbox."""

    def __init__(self, outbox: Outbox, form: Format) -> None:
        self._outbox, self._format = outbox, form

    def view(self, digest: Digest) -> View:
        """The digest for whoever asks for it."""
        return View(self.write(digest), outside=digest.outside)

    async def digest(self, tx: Transaction, conversation: str, digest: Digest, key: str) -> None:
        """Send a digest, once per key."""
        await self._outbox.add(tx, conversation, "digest", key, text=self.write(digest), outside=digest.outside)

    def write(self, digest: Digest) -> str:
        """The digest as Markdown: what is down first, then what is different, then what was done."""
        count = len(digest.troubles) + digest.pending + digest.unknown
        well = "**All well**" if digest.summaries else "**Nothing to look at**"
        head = f"**{count} need{'s' if count == 1 else ''} you**" if count else well
        late = " (late: I was off)" if digest.late else ""
        parts = [f"{head} · since {escape(self._format.moment(digest.since))}{late}"]
        parts += _block([self._format.noted(*line) for line in digest.troubles])
        parts += [escape(line) for line in digest.summaries]
        parts += _block([self._format.noted(*line) for line in digest.quiet])
        parts += ["", "**Changed**", *_block(digest.changed)] if digest.changed else []
        parts += ["", "**Done**", *_block(digest.ran)] if digest.ran else ["", "nothing was changed through me"]
        open_ = [(digest.pending, "waiting"), (digest.unknown, "unknown")]
        said = ", ".join(f"{number} {word}" for number, word in open_ if number)
        waiting = f" · {said}: /pending" if said else ""
        parts.append(escape(f"${digest.usd:.2f} spent on thinking{waiting}"))
        parts.append(escape(f"audit: {digest.audit}"))
        return "\n".join(parts)


def _block(lines: list[str]) -> list[str]:
    more = [f"… and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return [escape(line) for line in lines[:MOST_LINES]] + more
