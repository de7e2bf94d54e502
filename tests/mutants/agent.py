"""The defences of the toolbox and of what goes on by itself: name, file, its line, without it, and its test."""

TOOLBOX, FOLLOWING = "tests/bot/agent/test_toolbox.py", "tests/tools/gate/test_following.py"
SAFETY = "tests/tools/gate/test_safety_net.py"

AGENT = [
    ("what only Undo calls is sent to the model", "bot/agent/toolbox.py", " and not tool.hidden]", "]", TOOLBOX),
    ("anybody's toolbox has every service", "bot/agent/toolbox.py",
     "if self._people.role(actor, name) >= Role.VIEWER)", ")", TOOLBOX),
    ("a call of a tool that is not in view is stored as it is", "bot/agent/reply.py",
     'if call["name"] in unseen else', "if False else", TOOLBOX),
    ("what a reference brings is not set aside", "bot/agent/claude.py", "box.in_full(messages)", "messages", TOOLBOX),
    ("what goes on by itself is unknown after a crash", "tools/gate/recovery.py",
     "found = [row for row in left if row.task is None]", "found = left", FOLLOWING),
    ("a task that is lost has failed", "tools/gate/following.py",
     "if isinstance(came, ToolFailed) and not came.sent:", "if False:", FOLLOWING),
    ("a no is believed without a look", "tools/gate/outcomes.py",
     "if not isinstance(came, Unreachable | CircuitOpen):", "if isinstance(came, Done):", FOLLOWING),
    ("gone is never as was wanted", "tools/gate/arguments.py", "if text not in known:", "if True:", FOLLOWING),
    ("nobody is told why it cannot be seen", "tools/gate/outcomes.py",
     "elif done and seen.failed:", "elif False:", FOLLOWING),
    ("without a card nobody hears how far it is", "tools/gate/following.py",
     "elif (message := await outbox.message_of(first)) is None:", "elif False:", FOLLOWING),
    ("what follows may write", "tools/gate/following.py",
     "get(row.service, Access.READ), ref", "get(row.service, Access.WRITE), ref", FOLLOWING),
    ("the target of what goes on is free", "tools/gate/execution.py",
     "*self.following.rows]", "]", FOLLOWING),
    ("a call takes up another task", "memory/migrations.py",
     "WHEN OLD.task IS NOT NULL OR OLD.state <> 'started'", "WHEN 0", FOLLOWING),
    ("a change runs without its safety net", "tools/gate/execution.py",
     "        if isinstance(taken, ToolFailed):\n            return", "        if False:\n            return", SAFETY),
    ("a stop during the safety net is no stop", "tools/gate/execution.py",
     "        if held := self._guard.held(row.run):\n            return held\n", "", SAFETY),
    ("what moves during the safety net is changed", "tools/gate/execution.py",
     'if now is None or results.moved(row.before, results.stored_facts(now)):', "if False:", SAFETY),
]  # fmt: skip
