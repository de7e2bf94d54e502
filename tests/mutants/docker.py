"""The defences around Docker: name, file, its line, the line without it, and the test that holds it."""

NEEDS, PODMAN = "tests/tools/test_docker_needs.py", "tests/tools/test_docker_podman.py"
TROUBLES = "tests/tools/test_docker_troubles.py"

DOCKER = [
    ("an engine gets its own words back", "tools/docker/podman.py",
           'name.removeprefix("RLIMIT_").lower()', "name", PODMAN),
    ("Podman's Undo is promised whatever it keeps to itself", "tools/docker/recreate.py",
           "return unsayable(raw, await engine.ask(lambda api: api.podmans_own(reference)))", 'return ""', PODMAN),
    ("an Undo leaves two of what an orchestrator has replaced", "tools/docker/removal.py",
           "if own or facts.owner else", "if own else", NEEDS),
    ("a restart ends what cannot start again", "tools/docker/dependencies.py",
           "if clause := lost(found):", 'if clause := "":', NEEDS),
    ("Undo is promised without the carrier", "tools/docker/recreate.py",
           'if needed.state == "gone":', "if False:", NEEDS),
    ("a 404 about something else is about the target", "tools/docker/dependencies.py",
           "if not _is_refusal(error, before, now):", "if True:", NEEDS),
    ("a start that may have happened is called refused", "tools/docker/dependencies.py",
           "return error.answered and idle and not before.alive", "return True", NEEDS),
    ("a stop of last week excuses today's", "tools/docker/troubles.py",
           "started - container.ahead <= deed.at + CLOCKS_DIFFER", "True", TROUBLES),
    ("what is out of memory ended well", "tools/docker/troubles.py",
           'out_of_memory=state.get("OOMKilled") is True,', "", TROUBLES),
    ("what was stopped behind its back is taken for meant", "tools/docker/troubles.py",
           'if container.policy in ("always", "unless-stopped"):', "if False:", TROUBLES),
    ("what could not be looked into is well", "tools/docker/glance.py",
           "*sorted(troubles, key=lambda trouble: not trouble.red), *unread),",
           "*sorted(troubles, key=lambda trouble: not trouble.red)),", TROUBLES),
    ("what has just come back from a crash is taken for well", "tools/docker/survey.py",
           "return 2 if row.up and row.up >= SHAKY.total_seconds() else 1", "return 2", TROUBLES),
]  # fmt: skip
