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
TAPS, POLICY, TAINT = "tests/bot/test_taps.py", "tests/tools/gate/test_policy.py", "tests/tools/gate/test_taint.py"
DEFENCES, SEVERAL = "tests/tools/gate/test_defences.py", "tests/tools/gate/test_several.py"
RECOVERY, SCHEMA = "tests/tools/gate/test_recovery.py", "tests/memory/test_migrations.py"

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
           "if held := self._guard.held(run.id):", "if held := None:", "tests/bot/test_halt.py"),
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
           "if row is not None and row.state is not CallState.DONE:", "if False:", SEVERAL),
    Mutant("anyone in the chat decides", "bot/taps.py",
           "if tap.actor.id not in card.allowed:", "if False:", TAPS),
    Mutant("any chat decides", "bot/taps.py",
           "if card is None or card.conversation != tap.conversation:", "if card is None:", TAPS),
    Mutant("any message decides", "bot/taps.py", "if card.message != tap.message:", "if False:", TAPS),
    Mutant("one tap destroys", "bot/taps.py",
           'if verb == "d" or (verb == "y" and destroys and not card.armed):', 'if verb == "d":', TAPS),
    Mutant("expiry is not looked at", "memory/approvals.py",
           "WHERE id = card AND expires > ? AND epoch =", "WHERE id = card AND (expires > ? OR 1) AND epoch =", GATE),
    Mutant("a clock set back revives a card", "memory/approvals.py",
           "\"UPDATE meta SET value = max(CAST(value AS REAL), ?) WHERE key = 'clock'\"",
           "\"UPDATE meta SET value = ? WHERE key = 'clock'\"", DEFENCES),
    Mutant("forbidden targets are touched", "tools/gate/policy.py", "    if now.forbidden:", "    if False:", POLICY),
    Mutant("observe does not refuse", "tools/gate/policy.py",
           "if now.autonomy is Autonomy.OBSERVE and not now.own:", "if False:", POLICY),
    Mutant("nobody needs to watch a destruction", "tools/gate/policy.py",
           "if now.unattended and now.risk is Risk.DESTROY:", "if False:", POLICY),
    Mutant("roles do not matter", "tools/gate/policy.py", "if now.role < NEEDED[now.risk]:", "if False:", POLICY),
    Mutant("results do not taint", "tools/gate/taint.py",
           "return any(True for _ in outside_text(result))", "return False", TAINT),
    Mutant("ambiguous names are guessed", "tools/gate/proposals.py", "if len(found) > 1:", "if False:", GATE),
    Mutant("a restart runs again what was under way", "tools/gate/recovery.py",
           "found = await self._left(CallState.STARTED, only)", "found = []", RECOVERY),
    Mutant("approved before a crash runs late", "tools/gate/recovery.py",
           'if approval is not None and approval.state == "approved":', "if False:", RECOVERY),
    Mutant("undo works twice", "memory/journal.py",
           "WHERE id = ? AND undo IS NOT NULL AND undone_by IS NULL", "WHERE id = ? AND undo IS NOT NULL", EXECUTION),
    Mutant("undo nets lie open", "memory/nets.py",
           "sealed = Fernet(self._key).encrypt(json.dumps(content).encode())",
           "sealed = json.dumps(content).encode()", EXECUTION),
    Mutant("known secrets are not masked", "memory/text.py",
           "self._known.update(_spellings(secret))", "pass", "tests/tools/gate/test_results.py"),
    Mutant("strangers are welcome", "bot/access.py",
           "known = user is not None and user in self._roles and user != ANONYMOUS_ADMIN", "known = True",
           "tests/bot/test_access.py"),
    Mutant("a reading Docker client writes", "tools/kit/transport.py", "READING = frozenset({",
           'READING = frozenset({"POST", "DELETE", "PUT", "PATCH", ', "tests/tools/test_docker_hosts.py"),
    Mutant("a cut reply's calls run", "bot/agent/claude.py",
           "            _check_arguments(written)\n", "            pass\n",
           "tests/bot/agent/test_claude.py"),
    Mutant("budgets are not looked at", "bot/agent/budget.py",
           "if task + estimate > self.task:", "if False:", "tests/bot/agent/test_budget.py"),
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
