"""Another seed, another culprit, the right answer; and the stand-in for Claude knows only what it was sent."""

import ast
import json
from pathlib import Path
from random import Random

import pytest

import lab.claude
from lab.claude.brain import think
from lab.story import tell
from tests.e2e.harness import open_home

SEEDS = (1, 2, 3, 4)
NAMED = {
    "wrong database password": "its login is rejected",
    "out of memory": "runs out of memory",
    "permission denied on a volume": "not allowed to use a file",
    "stale lock file": "a lock it left behind",
    "disk full": "the disk it writes to is full",
    "port already in use": "the port it wants is taken",
    "missing configuration key": "its configuration is incomplete",
}
"""How the stand-in words each cause of a story."""
PURE = ("lab.claude", "lab.server", "lab.kit.intents", "lab.kit.language", "lab.kit.telling")
BRAIN = Path(lab.claude.__file__).parent


def test_neighbouring_seeds_have_different_culprits_and_every_cause_has_its_words() -> None:
    stories = [tell(seed) for seed in range(40)]
    assert {story.cause for story in stories} == NAMED.keys()
    assert all(a.culprit != b.culprit for a, b in zip(stories, stories[1:], strict=False))


@pytest.mark.parametrize("seed", SEEDS)
async def test_story_reseeded(tmp_path: Path, seed: int) -> None:
    async with open_home(tmp_path, seed=seed) as home:
        culprit = home.lab.world.story.culprit
        home.say("what's wrong?")
        answer = await home.hear(r"Evidence|Restart", mark=home.mark)
        said = "\n".join(message.text for message in home.lab.telegram.sent(answer.chat.id))
        asked = json.dumps(home.lab.claude.requests[-1]["messages"])
        await home.quiet()
        texts = said + "\n".join(_texts(home.query("SELECT body FROM messages")))
    assert culprit.name in texts and NAMED[home.lab.world.story.cause] in texts
    assert culprit.name in asked


def _texts(rows: list[tuple[str]]) -> list[str]:
    """What the model wrote, from stored messages."""
    replies = [json.loads(row[0]) for row in rows]
    blocks = [block for message in replies if message["role"] == "assistant" for block in message["content"]]
    return [block["text"] for block in blocks if block["type"] == "text"] + [
        block["thinking"] for block in blocks if block["type"] == "thinking"
    ]


def test_brain_sees_only_messages() -> None:
    """Nothing behind the Messages API imports the world, its story, or anything else that knows the answer."""
    for path in BRAIN.rglob("*.py"):
        for name in _imports(path):
            if name.startswith(("lab", "bot", "tools", "memory")):
                assert name.startswith(PURE), f"{path.name} imports {name}"


async def test_the_answer_follows_the_request_and_nothing_else(tmp_path: Path) -> None:
    """The same request with another name in it names the other one: what is said comes from what was sent."""
    async with open_home(tmp_path, seed=1) as home:
        culprit = home.lab.world.story.culprit.name
        await home.ask("what's wrong?", "Evidence")
        request = home.lab.claude.requests[-1]
    renamed = json.loads(json.dumps(request).replace(culprit, "nobody-knows-me"))
    answer = "".join(block.get("text", "") for block in think(renamed, Random(1)).content)
    assert "nobody-knows-me" in answer and culprit not in answer


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found
