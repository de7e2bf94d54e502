"""What registries offer for images that are in use: several asked at once, and what nobody could say is unknown."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from tools.kit.errors import BadAnswer, Gone, RateLimited, ToolFailed, Unauthorised, Unreachable
from tools.kit.registries.client import Registries
from tools.kit.registries.names import Reference
from tools.kit.registries.tags import is_pinned, newer, version_of

AT_ONCE, MOST_ASKED = 6, 60
"""Questions to registries at the same time, and images in one call."""
PATIENCE = 25.0
"""Seconds for all of it: what has not been answered by then is unknown."""

Verdict = Literal["up to date", "new image", "newer tag", "pinned by digest", "unknown"]
Why = Literal[
    "the registry asks to slow down",
    "the registry wants a login",
    "the registry cannot be reached",
    "the registry does not answer in time",
    "the registry does not have it any more",
    "the registry answered something else",
    "its digest here is not known",
    "built here, no registry has it",
    "made from an image without a name",
    "too many images at once",
]
"""Why it is not known whether there is an update."""


@dataclass(frozen=True)
class Offer:
    """What a registry says of one image."""

    image: Reference
    digest: str = ""
    tags: tuple[str, ...] = ()
    why: Why | None = None

    @property
    def pinned(self) -> bool:
        """Whether the image's name stays with one release."""
        return bool(self.image.digest) or is_pinned(self.image.tag, self.tags)

    @property
    def newer(self) -> list[str]:
        """Tags of later releases, the newest first."""
        return newer(self.image.tag, self.tags)

    def judged(self, here: Collection[str]) -> tuple[Verdict, Why | None]:
        """Whether there is an update for who has an image of these digests."""
        if self.digest and here and self.digest not in here and not self.image.digest:
            return "new image", None
        if self.pinned and self.newer:
            return "newer tag", None
        if self.why:
            lost = self.why == "the registry does not have it any more" and not here
            return "unknown", "built here, no registry has it" if lost else self.why
        if self.image.digest:
            return "pinned by digest", None
        return ("up to date", None) if self.digest in here else ("unknown", "its digest here is not known")


async def offers(registries: Registries, images: Collection[str]) -> dict[str, Offer]:
    """What there is for each name that is one; every registry is asked once about the same thing."""
    named = {image: found for image in images if (found := Reference.of(image))}
    asked = [*dict.fromkeys(each for each in named.values() if each.tag)]  # of a digest alone there is nothing to ask
    turn, limited = asyncio.Semaphore(AT_ONCE), set[str]()
    tasks = {each: asyncio.create_task(_ask(registries, each, turn, limited)) for each in asked[:MOST_ASKED]}
    try:
        await asyncio.wait(tasks.values(), timeout=PATIENCE) if tasks else None
        answers = {each: task.result() for each, task in tasks.items() if task.done()}
    finally:
        for task in tasks.values():
            task.cancel()

    def offer(each: Reference) -> Offer:
        late: Why = "the registry does not answer in time" if each in tasks else "too many images at once"
        return answers.get(each) or Offer(each, why=late if each.tag else None)

    return {image: offer(each) for image, each in named.items()}


async def _ask(registries: Registries, image: Reference, turn: asyncio.Semaphore, limited: set[str]) -> Offer:
    async with turn:
        if image.registry in limited:  # it has just said so: another question would only make it worse
            return Offer(image, why="the registry asks to slow down")
        digest = ""
        try:
            digest = await registries.digest(image)
            return Offer(image, digest, tuple(await registries.tags(image)) if version_of(image.tag) else ())
        except ToolFailed as error:
            if isinstance(error, RateLimited):
                limited.add(image.registry)
            return Offer(image, digest, why=_why(error))


def _why(error: ToolFailed) -> Why:
    match error:
        case RateLimited():
            return "the registry asks to slow down"
        case Unauthorised():
            return "the registry wants a login"
        case Gone():
            return "the registry does not have it any more"
        case Unreachable():
            return "the registry cannot be reached"
        case BadAnswer():
            return "the registry answered something else"
    return "the registry does not answer in time"
