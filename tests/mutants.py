"""Mutants: each defence is removed in turn, one line of it, and the named test must turn red.

Run as `python -m tests.mutants [NAME…]`. The tree is copied; the checkout itself is never touched.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.mutants_agent import AGENT
from tests.mutants_clean_up import CLEAN_UP
from tests.mutants_docker import DOCKER
from tests.mutants_hearing import HEARING
from tests.mutants_wire import WIRE

ROOT = Path(__file__).parent.parent
SECONDS = 180


@dataclass(frozen=True)
class Mutant:
    """One defence, as it is and as it would be without it, and the test that holds it."""

    name: str
    file: str
    old: str
    new: str
    test: str


GATE, EXECUTION = "tests/tools/gate/test_gate.py", "tests/tools/gate/test_execution.py"
DECISIONS, POLICY, TAINT = (
    "tests/bot/runs/test_decisions.py",
    "tests/tools/gate/test_policy.py",
    "tests/tools/gate/test_taint.py",
)
PROVENANCE = "tests/tools/gate/test_provenance.py"
DEFENCES, SEVERAL = "tests/tools/gate/test_defences.py", "tests/tools/gate/test_several.py"
STANDING, RULES = "tests/bot/runs/test_standing.py", "tests/tools/gate/test_rules.py"
DELIVERY, ROOM = "tests/bot/telegram/test_delivery.py", "tests/bot/screen/test_room.py"
RECOVERY, SCHEMA = "tests/tools/gate/test_recovery.py", "tests/memory/test_migrations.py"
BACKUP, DOORS, CHAT = "tests/memory/test_backup.py", "tests/bot/terminal/test_doors.py", "tests/bot/runs/test_runner.py"
COMMANDS, APPROVALS = "tests/bot/menus/test_commands.py", "tests/memory/test_approvals.py"
PAGES, BY_NAME = "tests/bot/menus/test_declared.py", "tests/bot/menus/test_by_name.py"
INBOX, STATUS = "tests/memory/test_inbox.py", "tests/bot/menus/test_status.py"
TOPICS, UNREACHABLE = "tests/bot/telegram/test_topics.py", "tests/bot/telegram/test_unreachable.py"
ORDERS, POLLER = "tests/tools/gate/test_orders.py", "tests/bot/telegram/test_poller.py"

MUTANTS = [
    Mutant("a decided approval can be decided again", "memory/approvals.py",
           "AND state = 'pending') = ?\"", ") = ?\"", DEFENCES),
    Mutant("two live approvals for one call", "memory/migrations.py",
           "CREATE UNIQUE INDEX approvals_one_live", "CREATE INDEX approvals_one_live", SCHEMA),
    Mutant("calls take any step", "memory/migrations.py",
           "WHEN NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN (",
           "WHEN 0 AND (OLD.state || '>' || NEW.state) NOT IN (", SCHEMA),
    Mutant("a call may start unapproved", "memory/migrations.py",
           "WHEN NEW.state = 'started' AND OLD.needs_tap AND NOT EXISTS (", "WHEN 0 AND NOT EXISTS (", GATE),
    Mutant("arguments may change in the journal", "memory/migrations.py",
           "BEGIN SELECT RAISE(ABORT, 'a call keeps its arguments'); END;;", "BEGIN SELECT 1; END;;", SCHEMA),
    Mutant("taint may be washed off in the database", "memory/migrations.py",
           "WHEN OLD.tainted > NEW.tainted BEGIN SELECT RAISE", "WHEN 0 BEGIN SELECT RAISE", TAINT),
    Mutant("the write comes before `started`", "tools/gate/execution.py",
           "        if await self._start(run, row, proposal.change, decided_by):\n",
           "        await proposal.change.do(await self._clients.get(row.tool.partition('_')[0], Access.WRITE))\n"
           "        if await self._start(run, row, proposal.change, decided_by):\n",
           EXECUTION),
    Mutant("a destination from outside is asked without a card", "tools/gate/proposals.py",
           "if tool.risk is Risk.READ and not (tool.egress and run.tainted):", "if tool.risk is Risk.READ:", TAINT),
    Mutant("no drift check", "tools/gate/execution.py",
           'facts = results.moved(row.before["shown"], proposal.change.facts.shown())', "facts = {}", GATE),
    Mutant("/stop does not hold a change", "tools/gate/execution.py",
           "if held := self._guard.held(run.id):", "if held := None:", "tests/bot/runs/test_halt.py"),
    Mutant("under /stop all cards are offered that cannot run", "tools/gate/gate.py",
           "reason = self._execution.barred(run.id)", 'reason = ""', "tests/bot/runs/test_halt.py"),
    Mutant("an approver who lost the role still counts", "tools/gate/execution.py",
           "if decided_by not in allowed:", "if False:", DEFENCES),
    Mutant("a change that became more dangerous runs", "tools/gate/execution.py",
           "if proposal.risk > row.risk:", "if False:", EXECUTION),
    Mutant("an old epoch may start", "memory/journal.py",
           '" AND epoch = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = \'epoch\')",', '"",', DEFENCES),
    Mutant("a lost answer is called failed", "tools/gate/execution.py",
           "CallState.UNKNOWN if wrong.sent else CallState.FAILED", "CallState.FAILED", EXECUTION),
    Mutant("a change is not verified", "tools/gate/execution.py",
           "if change.expect(change.facts, seen):", "if True:", EXECUTION),
    Mutant("the rest runs after a failure", "tools/gate/gate.py",
           "if row.state is not CallState.DONE:", "if False:", SEVERAL),
    Mutant("after a card that was revoked the next one comes", "tools/gate/gate.py",
           "if row.state is not CallState.DENIED or row.detail:", "if row.state is not CallState.DENIED:", STANDING),
    Mutant("the answer to /stop waits for its turn", "bot/telegram/delivery.py",
           "_lane(row)[1] and not row.attempts", "False", "tests/bot/telegram/test_stop.py"),
    Mutant("what is only drawn again holds up an answer", "bot/telegram/delivery.py",
           'if row.kind != "card" or await self._message(row) is None:', "if True:", "tests/bot/telegram/test_stop.py"),
    Mutant("what was not asked by itself runs after a denial", "tools/gate/gate.py",
           "if dropped is not None and not await self._standing.asked_alone(row):", "if False:", SEVERAL),
    Mutant("anyone in the chat decides", "bot/runs/decisions.py",
           "if tap.actor.id not in card.allowed:", "if False:", DECISIONS),
    Mutant("any chat decides", "bot/runs/decisions.py",
           "if card is None or card.conversation != tap.conversation:", "if card is None:", DECISIONS),
    Mutant("any message decides", "bot/runs/decisions.py", "if card.message != tap.message:", "if False:", DECISIONS),
    Mutant("one tap destroys", "bot/runs/decisions.py",
           "if approve and not card.armed and await self._destroys(calls):", "if False:", DECISIONS),
    Mutant("one yes at the terminal destroys", "bot/runs/decisions.py",
           "if approve and not card.armed and await self._destroys(calls):", "if False:", DOORS),
    Mutant("expiry is not looked at", "memory/approvals.py",
           "WHERE id = card AND expires > ? AND epoch =", "WHERE id = card AND (expires > ? OR 1) AND epoch =",
           APPROVALS),
    Mutant("a clock set back revives a card", "memory/clock.py",
           "max(self._wall(), self._latest + measured - self._measured)", "self._wall()", DEFENCES),
    Mutant("a clock that leapt ahead keeps a card open", "memory/clock.py",
           "self._latest + measured - self._measured)", "self._latest)", DEFENCES),
    Mutant("a restart forgets how late it was", "memory/database.py",
           "                self.steady.seen(row[0])\n", "                pass\n", DEFENCES),
    Mutant("forbidden targets are touched", "tools/gate/policy.py", "    if now.forbidden:", "    if False:", POLICY),
    Mutant("observe does not refuse", "tools/gate/policy.py",
           "if now.autonomy is Autonomy.OBSERVE and not now.own:", "if False:", POLICY),
    Mutant("nobody needs to watch a destruction", "tools/gate/policy.py",
           "if now.unattended and now.risk is Risk.DESTROY:", "if False:", POLICY),
    Mutant("roles do not matter", "tools/gate/policy.py", "if now.role < NEEDED[now.risk]:", "if False:", POLICY),
    Mutant("results do not taint", "tools/gate/taint.py",
           "return any(True for _ in outside_text(result))", "return False", TAINT),
    Mutant("what a text asks for is the inventory's when it is listed", "tools/gate/taint.py",
           "if typed or brought:", "if typed:", PROVENANCE),
    Mutant("what a schedule says counts as typed", "tools/gate/taint.py",
           "if run.thinks and not run.unattended]", "if run.thinks]", PROVENANCE),
    Mutant("what a line quotes is nobody's", "tools/gate/taint.py",
           "if text.startswith(OPENING)\n", "if False\n", PROVENANCE),
    Mutant("of a result that taints all is the owner's", "tools/gate/taint.py",
           'if text in foreign else text)), "\\n".join(foreign)', 'if False else text)), ""', PROVENANCE),
    Mutant("what was read a request ago is forgotten", "tools/gate/proposals.py",
           "await self._runs.before(run) if matters else []", "[]", PROVENANCE),
    Mutant("a name that others bear, too, means the one that a text has chosen", "tools/gate/proposals.py",
           "if [each.id for each in meant] == [target.id] else", "if meant else", PROVENANCE),
    Mutant("ambiguous names are guessed", "tools/gate/proposals.py", "if len(found) > 1:", "if False:", GATE),
    Mutant("a restart runs again what was under way", "tools/gate/recovery.py",
           "found = await self._left(CallState.STARTED, only)", "found = []", RECOVERY),
    Mutant("courtesy hides a claim", "bot/screen/courtesy.py",
           " and _made_of(ANSWERED, answer)", "", "tests/bot/screen/test_footer.py"),
    Mutant("courtesy after a request hides a claim", "bot/screen/courtesy.py",
           " and _made_of(SAID, asked)", "", "tests/bot/screen/test_footer.py"),
    Mutant("what came much later is a trace", "bot/screen/cards.py",
           "<= row.started + TRACE_SECONDS", "< float('inf')", "tests/bot/screen/test_unknown.py"),
    Mutant("what is not as was wanted is a trace", "bot/screen/cards.py",
           ' or not row.after.get("fits")', "", "tests/bot/screen/test_unknown.py"),
    Mutant("approved before a crash runs late", "tools/gate/recovery.py",
           'if approval is not None and approval.state == "approved":', "if False:", RECOVERY),
    Mutant("a restored backup is in place before it is voided", "memory/backup.py",
           "        await _void(fresh,", "        shutil.copyfile(fresh, target)\n        await _void(fresh,", BACKUP),
    Mutant("a restored backup carries on what was at work", "memory/backup.py",
           'await stores.runs.set_state(tx, run.id, "failed", ENDED)', "pass", BACKUP),
    Mutant("the replaced database loses its log", "memory/backup.py",
           'BESIDE = ("-wal", "-shm")', 'BESIDE = ("-shm",)', BACKUP),
    Mutant("a panic ends at the other doors", "bot/core.py", "await core.halt.restore(stores)", "pass", DOORS),
    Mutant("a backup migrates the database first", "bot/terminal/doors.py", "as_it_is=True", "as_it_is=False", DOORS),
    Mutant("a cut-off audit log is called intact", "memory/audit.py",
           "return self.broken_at is None and not self.missing", "return self.broken_at is None", DOORS),
    Mutant("what was interrupted days ago is carried on", "bot/runs/runner.py",
           "self._idle(run) > LATE_SECONDS:", "False:", CHAT),
    Mutant("a card that lapsed days ago starts new thoughts", "bot/runs/runner.py",
           "thinking=not late", "thinking=True", CHAT),
    Mutant("a hung target is waited for", "tools/gate/recovery.py",
           "async with asyncio.timeout(LOOK_SECONDS):", "if True:", RECOVERY),
    Mutant("a role for one service stops everything", "bot/menus/commands.py",
           "if everywhere and desk.access.overall(request.actor.id) < Role.ADMIN:",
           "if everywhere and desk.access.role(request.actor.id) < Role.ADMIN:", COMMANDS),
    Mutant("a name behind /stop halts", "bot/menus/commands.py",
           'if rest and not everywhere and (asked := await question(desk, request, "stop", rest, HALTED_NOTHING)):',
           "if False:", BY_NAME),
    Mutant("a name behind /start lifts a stop", "bot/menus/commands.py",
           'if rest and (asked := await question(desk, request, "start", rest, LIFTED_NOTHING)):',
           "if False:", BY_NAME),
    Mutant("a page does for everybody what it offers some", "bot/menus/uses.py",
           "    if not desk.may(request, tool):\n", "    if False:\n", PAGES),
    Mutant("a page reads for whoever presses its buttons", "tools/gate/proposals.py",
           "if self._people.role(actor.id, service.name) < Role.VIEWER:", "if False:", RULES),
    Mutant("a page does what it no longer offers", "bot/menus/uses.py",
           "if key in (text, fingerprint(text)) and tool and desk.may(request, tool):", "if tool:", PAGES),
    Mutant("a digest tells everybody everything", "scheduler/digests.py",
           "self._proposals.glances(reader)", "self._proposals.glances(self._owner)", COMMANDS),
    Mutant("an outage makes what it hides gone", "scheduler/digests.py",
           "if _unseen(name, glances)}", "if False}", STATUS),
    Mutant("all is well while an outcome is unknown", "bot/screen/digest.py",
           "len(digest.troubles) + digest.pending + digest.unknown", "len(digest.troubles)", STATUS),
    Mutant("undo works twice", "memory/journal.py",
           "WHERE id = ? AND undo IS NOT NULL AND undone_by IS NULL", "WHERE id = ? AND undo IS NOT NULL", EXECUTION),
    Mutant("/undo shows what is not for everybody", "bot/menus/undo.py",
           "desk.access.role(request.actor.id, row.service) >= Role.OPERATOR", "True", "tests/bot/menus/test_undo.py"),
    Mutant("anybody may try again what another has asked", "bot/menus/retry.py",
           "(run.conversation, run.actor.id) == (request.conversation, request.actor.id)", "True",
           "tests/bot/menus/test_retry.py"),
    Mutant("undo nets lie open", "memory/nets.py",
           "sealed = Fernet(self._key).encrypt(json.dumps(content).encode())",
           "sealed = json.dumps(content).encode()", EXECUTION),
    Mutant("known secrets are not masked", "memory/text.py",
           "self._known.update(_spellings(part))", "pass", "tests/tools/gate/test_results.py"),
    Mutant("invisible characters hide a secret", "memory/text.py",
           "return self._unhidden(text) if HIDING.search(text) else text", "return text", "tests/memory/test_text.py"),
    Mutant("Markdown hides a secret", "bot/telegram/chats.py",
           "return render(self.shown(text), self.redact)", "return render(self.shown(text))", DELIVERY),
    Mutant("what is sent as it stands is not redacted", "bot/telegram/chats.py",
           "        piece = self._safe(piece)\n", "", DELIVERY),
    Mutant("buttons are not redacted", "bot/telegram/chats.py", "self.shown(b.text).strip()", "b.text", DELIVERY),
    Mutant("a service's own words are stored as they came", "tools/gate/execution.py",
           "return escaped(short_ids(self._proposals.redact(str(words))))", "return str(words)", DELIVERY),
    Mutant("a row that cannot be drawn is tried for ever", "bot/telegram/delivery.py",
           "if self._faults[row.id] < MOST_DRAWS:", "if True:", DELIVERY),
    Mutant("names that look like moments become moments", "bot/screen/view.py",
           "if moment and isinstance(value, str):", "if isinstance(value, str):", "tests/bot/screen/test_view.py"),
    Mutant("a value can begin a line of its own", "memory/text.py",
           'SPELLED_OUT = re.compile(f"[{_UNSEEN}\\n\\u2028\\u2029]")', "SPELLED_OUT = INVISIBLE", ROOM),
    Mutant("a card may need more than one message", "tools/gate/proposals.py",
           "and room(proposal, run) > MOST_SHOWN:", "and False:", ROOM),
    Mutant("answers claim what they like", "bot/screen/footer.py",
           'return [*parts, "nothing was changed"]', "return parts", "tests/bot/screen/test_footer.py"),
    Mutant("strangers are welcome", "bot/settings/people.py",
           "known = user is not None and user in self._roles and user != ANONYMOUS_ADMIN", "known = True",
           "tests/bot/settings/test_people.py"),
    Mutant("a reading Docker client writes", "tools/kit/transport.py", "READING = frozenset({",
           'READING = frozenset({"POST", "DELETE", "PUT", "PATCH", ', "tests/tools/test_docker_hosts.py"),
    Mutant("calls run that the model did not stop for", "bot/agent/reply.py",
           'if bool(calls) != (stop == "tool_use"):', "if False:", "tests/bot/agent/test_claude.py"),
    Mutant("of an argument that stands there twice the last runs", "bot/agent/reply.py",
           "object_pairs_hook=unique, ", "", "tests/bot/agent/test_reply.py"),
    Mutant("a call runs without one of its pieces", "bot/agent/reply.py",
           '(kind == "tool_use" and delta.get(name) is None)', "False", "tests/bot/agent/test_reply.py"),
    Mutant("a use that is not known is free", "bot/agent/claude.py",
           "        held.keep()\n", "        pass\n", "tests/bot/agent/test_reply.py"),
    Mutant("a card outlives everybody who may decide it", "tools/gate/standing.py",
           "if not set(able) & set(card.allowed):", "if False:", STANDING),
    Mutant("a card outlives the rules it was shown under", "tools/gate/standing.py",
           "if card.policy != POLICY_VERSION:", "if False:", DECISIONS),
    Mutant("a card outlives its tool", "tools/gate/standing.py",
           "return not current or approval.schema_version != current", "return False", STANDING),
    Mutant("what was approved runs as another tool", "tools/gate/gate.py",
           "if self._standing.changed(approval, row):", "if False:", STANDING),
    Mutant("a tool's risk is no part of its version", "tools/gate/proposals.py",
           '"risk": int(tool.risk)', '"risk": 0', STANDING),
    Mutant("cards are looked at after a restart only when tapped", "tools/gate/recovery.py",
           "if reason := await self._standing.review(card):", "if reason := None:", STANDING),
    Mutant("any number of cards may wait", "tools/gate/standing.py",
           "if await approvals.waiting(tx, run.conversation) >= MOST_OPEN:", "if False:", RULES),
    Mutant("any number of cards an hour", "tools/gate/standing.py",
           "if len(times) >= MOST_AN_HOUR), default=now)", "if False), default=now)", RULES),
    Mutant("a person's own buttons are rationed", "tools/gate/standing.py", "if run.by_hand:", "if False:", RULES),
    Mutant("a call is asked again as often as one taps", "memory/journal.py",
           "WHERE id IN ({marks}) AND asked_again IS NULL\"", "WHERE id IN ({marks})\"", STANDING),
    Mutant("the first tap on one card arms all of them", "memory/approvals.py",
           "SET armed = 1 WHERE id = ? AND id IN", "SET armed = 1 WHERE id IN", APPROVALS),
    Mutant("Deny arms a destruction", "bot/runs/decisions.py",
           '(verb == "y" and destroys and not card.armed)', "(destroys and not card.armed)", DECISIONS),
    Mutant("a tap that armed is taken once more after a restart", "bot/runs/decisions.py",
           "self.arm(tx, card, tap.actor)\n            await self._stores.inbox.done(tx, tap.update)\n",
           "self.arm(tx, card, tap.actor)\n", DECISIONS),
    Mutant("an approval starts any call with the same arguments", "memory/migrations.py",
           "SELECT 1 FROM approvals WHERE call = OLD.id AND", "SELECT 1 FROM approvals WHERE", SCHEMA),
    Mutant("a call becomes harmless in the database", "memory/migrations.py",
           "OR NEW.risk < OLD.risk", "OR 0", SCHEMA),
    Mutant("an approval begins as given", "memory/migrations.py",
           "WHEN NEW.state <> 'pending' BEGIN", "WHEN 0 BEGIN", SCHEMA),
    Mutant("an Undo comes back while it is under way", "memory/journal.py",
           "state IN ('started', 'done', 'unknown'))", "state IN ('done', 'unknown'))", "tests/memory/test_journal.py"),
    Mutant("a trusted answer washes taint off", "tools/gate/gate.py",
           "tainted = tainted or item.tainted", "tainted = item.tainted", TAINT),
    Mutant("what a service says of a failure is trusted", "tools/gate/results.py",
           "return quoted or any(", "return any(", TAINT),
    Mutant("a tool of ours lets text out unasked", "tools/gate/proposals.py",
           "own=tool.service.own and tool.risk is not Risk.READ", "own=tool.service.own", TAINT),
    Mutant("a pause of the service holds a tap back", "tools/gate/execution.py",
           "self._proposals.prepare(run, use, insist=True)", "self._proposals.prepare(run, use)", EXECUTION),
    Mutant("an outcome is not drawn on its card", "tools/gate/execution.py",
           'await stores.outbox.add(tx, run.conversation, "card", event, card=approval.card)', "pass", EXECUTION),
    Mutant("one row tried again says everything again", "memory/outbox.py",
           "ambiguous = ambiguous OR ? WHERE id = ?", "ambiguous = ambiguous OR ? WHERE (id = ? OR 1)",
           "tests/memory/test_outbox.py"),
    Mutant("what was handled is forgotten at once", "memory/inbox.py",
           "self._db.now() - KEEP_SECONDS", "self._db.now() + KEEP_SECONDS", INBOX),
    Mutant("one update that crashes sets all aside", "memory/inbox.py",
           "attempts = attempts + 1 WHERE update_id = ?", "attempts = attempts + 1 WHERE (update_id = ? OR 1)", INBOX),
    Mutant("a restore takes up the log of one that died", "memory/backup.py",
           "        target.with_name(target.name + end).unlink(missing_ok=True)\n    for end in (\"\", \"-wal\"):",
           "        pass\n    for end in (\"\", \"-wal\"):", BACKUP),
    Mutant("a restore uses up an Undo that never ran", "memory/backup.py",
           "await stores.journal.release_undo(tx, run.undo_of, run.id)", "pass", BACKUP),
    Mutant("budgets are not looked at", "bot/agent/budget.py",
           "if of_task < least:", "if False:", "tests/bot/agent/test_budget.py"),
    Mutant("a budget pays for a short reply, and a long one comes", "bot/agent/budget.py",
           "return min(wanted.output, of_task, of_day)", "return wanted.output", "tests/bot/agent/test_budget.py"),
    Mutant("two runs spend the same rest", "bot/agent/budget.py",
           "async with self._turn:", "if True:", "tests/bot/agent/test_budget.py"),
    Mutant("a halt is not looked at again before the start", "tools/gate/execution.py",
           "why = self._guard.held(row.run) or self._in_the_way(row)", "why = self._in_the_way(row)", ORDERS),
    Mutant("two changes of one target at once", "tools/gate/execution.py",
           "if _touched(other) & _touched(row)), None)", "if False), None)", ORDERS),
    Mutant("whatever has the name is done it to", "tools/gate/execution.py",
           "if proposal.is_for_another(row):", "if False:", ORDERS),
    Mutant("a card shown again keeps its old words", "tools/gate/gate.py",
           "**words_of(moved.proposal)}", "}", ORDERS),
    Mutant("an approval is young again with the clock", "tools/gate/gate.py",
           " or database.steady() > card.expires + EXPIRY_SECONDS", "", ORDERS),
    Mutant("an Undo is used twice by way of a restore", "tools/gate/gate.py",
           "origin is None or origin.epoch != await self._stores.approvals.epoch(tx)", "origin is None", ORDERS),
    Mutant("the way back is lost with the answer", "tools/gate/execution.py",
           "back = self._kept(row, change.way_back(net or \"\"))", "back: dict[str, Any] = {}", ORDERS),
    Mutant("one good answer ends a conflict", "bot/telegram/poller.py",
           "self._clock() - self._last_conflict < CONFLICT_SECONDS:", "False:", POLLER),
    Mutant("ids in the owner's lists are names", "bot/core.py",
           "ids = ID.fullmatch(listed) and ID.fullmatch(known)", "ids = None", "tests/bot/test_core.py"),
    Mutant("a digest that breaks ends every start", "scheduler/clock.py",
           "await _survive(schedule.id, serve)", "await serve()", "tests/scheduler/test_clock.py"),
    Mutant("a refusal that quotes the outside is a failure", "tools/gate/results.py",
           "taint.unwrapped(content).startswith(REFUSED)", "content.startswith(REFUSED)",
           "tests/bot/screen/test_footer.py"),
    Mutant("a group's new number is a stranger's", "bot/telegram/dispatch.py",
           "if not await self._stores.outbox.has(moved_key(chat.id)):", "if True:",
           "tests/bot/telegram/test_dispatch.py"),
    Mutant("a topic's card is decided anywhere in the chat", "bot/settings/people.py",
           'if topic is None else f"{TELEGRAM}{chat}/{topic}"', "", TOPICS),
    Mutant("progress of a topic shows in General", "bot/telegram/progress.py",
           "stop, topic=topic, silent=True", "stop, silent=True", TOPICS),
    Mutant("what a shut topic does not take is lost", "bot/telegram/delivery.py",
           "if topic is None or not any(words in str(error).lower() for words in SHUT):", "if True:", TOPICS),
    Mutant("any message of General counts as a topic's", "memory/outbox.py",
           "WHERE message = ? AND conversation LIKE", "WHERE (message = ? OR 1) AND conversation LIKE", TOPICS),
    Mutant("a card that nobody has seen stays open", "bot/telegram/unreachable.py",
           "await self._runner.unseen(card)", "pass", UNREACHABLE),
    Mutant("of a chat that is gone, that chat is told", "bot/telegram/unreachable.py",
           "if owner != about), None)", "if owner), None)", UNREACHABLE),
    Mutant("an Undo that did not happen stays away", "bot/runs/decisions.py",
           'await redraw_receipt(self._stores, tx, run, run.undo_of, "undo again")', "pass", DECISIONS),
    *(Mutant(*row) for row in (*AGENT, *CLEAN_UP, *DOCKER, *HEARING, *WIRE)),
]  # fmt: skip


def copy_tree(target: Path) -> None:
    """The tracked and new files, with the environment linked in."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


def red(tree: Path, mutant: Mutant) -> str:
    """`killed`, or why it is not."""
    file = tree / mutant.file
    whole = file.read_text(encoding="utf-8")
    if whole.count(mutant.old) != 1:
        return f"stale: the line stands {whole.count(mutant.old)} times in {mutant.file}"
    file.write_text(whole.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code = pytest(tree, mutant.test)
    except subprocess.TimeoutExpired:
        return "killed"  # it hangs: nobody would call that green
    finally:
        file.write_text(whole, encoding="utf-8")
    return {0: "SURVIVED", 1: "killed"}.get(code, f"pytest broke ({code})")


def pytest(tree: Path, test: str) -> int:
    """Pytest's exit code for a test file in the copied tree: 0 green, 1 red."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test],
        cwd=tree, capture_output=True, timeout=SECONDS, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    ).returncode  # fmt: skip


def main(names: list[str]) -> int:
    """Score every mutant, or those whose name contains one of the words given."""
    chosen = [m for m in MUTANTS if not names or any(name in m.name for name in names)]
    began, bad = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        for test in dict.fromkeys(mutant.test for mutant in chosen):
            if (code := pytest(tree, test)) != 0:
                print(f"{test} is not green without any mutant (exit {code}): mend that first.")
                return 1
        for mutant in chosen:
            verdict = red(tree, mutant)
            bad += verdict != "killed"
            print(f"{verdict:10} {mutant.name}  ({mutant.test})", flush=True)
    killed = len(chosen) - bad
    print(f"{killed} of {len(chosen)} mutants killed ({killed / len(chosen):.0%}), {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
