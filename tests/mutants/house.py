"""The defences of what looks across services: name, file, its line, the line without it, and the test that holds it."""

ACROSS = "tests/tools/test_house.py"

HOUSE = [
    ("a service is named to whoever may not see it", "tools/gate/reads.py",
     "if self._people.role(actor.id, service.name) >= Role.VIEWER]", "]", ACROSS),
    ("who did not answer is not named", "tools/kit/contributions.py",
     "down.append(Down.of(service, answer))", "pass", ACROSS),
    ("something is concluded from silence", "tools/house.py", "if told.down or len(told.found) < 2 or", "if", ACROSS),
    ("something is concluded for who sees one service", "tools/house.py", "len(told.found) < 2", "False", ACROSS),
    ("what a device calls itself is its owner's word", "tools/kit/contributions.py",
     "name: Outside | None = None", "name: Ident | None = None", ACROSS),
    ("a container's address means something elsewhere", "tools/docker/inventory.py",
     'if each.get("Driver") in ("macvlan", "ipvlan")', "", ACROSS),
]  # fmt: skip
