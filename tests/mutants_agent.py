"""The defences of the toolbox: name, file, its line, the line without it, and its test."""

TOOLBOX = "tests/bot/agent/test_toolbox.py"

AGENT = [
    ("what only Undo calls is sent to the model", "bot/agent/toolbox.py", " and not tool.hidden]", "]", TOOLBOX),
    ("anybody's toolbox has every service", "bot/agent/toolbox.py",
     "if self._people.role(actor, name) >= Role.VIEWER)", ")", TOOLBOX),
    ("a call of a tool that is not in view is stored as it is", "bot/agent/reply.py",
     'if call["name"] in unseen else', "if False else", TOOLBOX),
    ("what a reference brings is not set aside", "bot/agent/claude.py", "box.in_full(messages)", "messages", TOOLBOX),
]  # fmt: skip
