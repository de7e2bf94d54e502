"""From one request to one reply."""

import random
from collections.abc import Callable, Sequence

from lab.claude.brain import intents, smalltalk, story
from lab.claude.brain.followup import complete
from lab.claude.brain.injection import note
from lab.claude.brain.talk import Ask, Stuck, Talk, read
from lab.claude.reply import Json, Reply
from lab.kit.intents import Intent

Skill = Callable[[Talk, random.Random], str | None]

SKILLS: tuple[Skill, ...] = (smalltalk.courtesy, story.diagnose, intents.follow)
"""The first that has something to say answers."""


def think(request: Json, rng: random.Random, known: Sequence[Intent] = ()) -> Reply:
    """The reply to a request: tool calls while something must be looked up or done, then an answer.

    `known` are the rows of what people say that the services bring along.
    """
    talk = complete(read(request, known))
    try:
        text = next((said for skill in SKILLS if (said := skill(talk, rng))), smalltalk.LOST)
    except Ask as ask:
        before = [{"type": "text", "text": ask.why}] if ask.why else []
        calls = [{"type": "tool_use", "name": name, "input": arguments} for name, arguments in ask.calls]
        return Reply([*before, *calls], "tool_use")
    except Stuck as stuck:
        text = stuck.text
    return Reply([{"type": "text", "text": text + note(talk.calls)}])
