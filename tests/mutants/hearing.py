"""The defences of hearing and answering: name, file, its line, the line without it, and the test that holds it."""

DEAF, LATE = "tests/bot/telegram/test_deaf.py", "tests/bot/telegram/test_late.py"
PARTS, REPLIES = "tests/bot/telegram/test_parts.py", "tests/bot/telegram/test_replies.py"

HEARING = [
    ("a part of a paste is a message of its own", "bot/telegram/parts.py",
     "len(before) < MOST_PARTS and before[-1].goes_on_with(part):", "False:", PARTS),
    ("a paste is handled before its rest is there", "bot/telegram/parts.py",
     "if wait > 0.0:", "if False:", PARTS),
    ("an order is swallowed by the paste before it", "bot/telegram/parts.py",
     "or other.order or other.answers", "or other.answers", PARTS),
    ("the parts of a paste are handled once more", "bot/runs/opener.py",
     "await stores.inbox.done(tx, update, *parts)", "await stores.inbox.done(tx, update)", PARTS),
    ("an album is answered for each picture that comes late", "bot/telegram/dispatch.py",
     "elif album and not said.line and", "elif album and False and", PARTS),
    ("what a person answers is trusted, whoever said it", "bot/telegram/replies.py",
     "replied.from_user.id != me:", "False:", REPLIES),
    ("what we say is ours, whatever we had read", "memory/outbox.py",
     'return not rows or any(row["outside"] for row in rows)', "return False", REPLIES),
    ("a quote from outside taints nothing", "bot/runs/opener.py",
     "tainted=tainted or (quote is not None and quote.outside),", "tainted=tainted,", REPLIES),
    ("a page that was turned to a log counts as ours", "bot/telegram/dispatch.py",
     "await self._stores.outbox.shows_outside(tap.conversation, tap.message)", "pass", REPLIES),
    ("arguments from what is quoted are not marked", "tools/gate/taint.py",
     "for text in _lines(messages) if text.startswith(OPENING)", "for text in ()", REPLIES),
    ("a late answer stands below something else", "memory/outbox.py",
     "AND message > ? AND coalesce(", "AND message < ? AND coalesce(", LATE),
    ("one stray refusal ends the process", "bot/telegram/poller.py",
     "if self._rejections >= MOST_REJECTIONS and not self._heard:", "if True:", DEAF),
    ("a token is dead though getMe knows it", "bot/telegram/poller.py", "elif knows:", "elif False:", DEAF),
    ("who is deaf looks well", "bot/telegram/watchdog.py", "poller.deaf_since or heard", "heard", DEAF),
]  # fmt: skip
