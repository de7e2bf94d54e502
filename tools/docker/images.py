"""Remove an image."""

from typing import Literal

from tools.docker.clean import MB, record, short, size, text, texts
from tools.docker.hosts import LONG_PATIENCE, DockerHosts, Engine, service
from tools.docker.inventory import tags_of
from tools.docker.names import Host, list_all
from tools.docker.pull import ImageName, familiar, pull_image, with_tag
from tools.docker.rows import is_forbidden, name_of
from tools.kit import Call, Change, Context, Facts, Gone, Ident, Refused, Risk, Shown, ToolFailed


class ImageFacts(Facts):
    """An image with everything that hangs on it."""

    state: Shown[Literal["present", "gone"]]
    tags: Shown[tuple[Ident, ...]]
    size_mb: Shown[float | None]
    used_by: Shown[tuple[Ident, ...]]
    """Containers made from it, running or not."""
    id: Shown[Ident | None] = None
    host: Ident
    can_be_pulled: bool = False
    forbidden: bool = False


@service.tool(Risk.DESTROY, undo="pull it again, if it came from a registry")
async def remove_image(ctx: Context[DockerHosts], image: ImageName, host: Host | None = None) -> Change[ImageFacts]:
    """Remove an image, or one of its tags when it has several, to free disk space."""
    engine = await _holder(ctx.client, image, host)
    facts = await ctx.read(image_facts, engine.name, image)
    if facts.forbidden:
        raise Refused("Its owner marked this image as never to be touched.")

    async def do(hosts: DockerHosts) -> None:
        await hosts.one(engine.name).ask(lambda api: api.remove_image(image), patience=LONG_PATIENCE)

    def undo(before: ImageFacts, net: str) -> Call | None:
        if not before.can_be_pulled or ctx.client.options.only_signed:
            return None
        name = familiar(with_tag(image))
        return pull_image.call(image=name if name in before.tags else before.tags[0], host=engine.name)

    return Change(
        f"Remove image {short(image)} on {engine.name}",
        facts=facts,
        do=do,
        expect=lambda before, after: after.state == "gone",
        undo=undo,
        notes=_notes(facts, ctx.client.options.only_signed),
        deadline=LONG_PATIENCE + 20,
    )


async def image_facts(client: DockerHosts, host: str, reference: str) -> ImageFacts:
    """The facts about one image of one host."""
    engine = client.one(host)
    try:
        raw = await engine.ask(lambda api: api.image(reference))
    except Gone:
        return ImageFacts(state="gone", tags=(), size_mb=None, used_by=(), host=host)
    users = [name_of(item) for item in await list_all(engine) if item.get("ImageID") == raw.get("Id")]
    return ImageFacts(
        state="present",
        tags=tuple(sorted(tags_of(raw))),
        size_mb=size(raw.get("Size"), MB),
        used_by=tuple(sorted(users)),
        id=short(text(raw.get("Id"))),
        host=host,
        can_be_pulled=bool(texts(raw.get("RepoDigests"))) and bool(tags_of(raw)),
        forbidden=is_forbidden(record(raw.get("Config"))),
    )


async def _holder(client: DockerHosts, image: str, host: str | None) -> Engine:
    """The one host that has this image. Raises ToolFailed when that is not clear."""
    if host is not None or len(client.engines) == 1:
        return client.one(host)

    async def has(engine: Engine) -> bool:
        try:
            await engine.ask(lambda api: api.image(image))
        except Gone:
            return False
        return True

    found, down = await client.each(client.pick(None), has)
    holders = [engine for engine, holds in found if holds]
    if len(holders) == 1 and not down:
        return holders[0]
    if not holders and not down:
        raise Gone("No host has this image: list the images to see their names.")
    names = ", ".join([*(engine.name for engine in holders), *(each.host for each in down)])
    raise ToolFailed(f"The image may be on several hosts: say which one of {names}.")


def _notes(facts: ImageFacts, only_signed: bool) -> tuple[str, ...]:
    notes = []
    if facts.used_by:
        notes.append("The engine refuses this while a container uses the image.")
    if len(facts.tags) > 1:
        notes.append("It has other tags: only this one goes, no space is freed.")
    if facts.state == "present" and not facts.can_be_pulled:
        notes.append("No undo: it was built here, no registry has it.")
    elif facts.state == "present" and only_signed:
        notes.append("No undo: DOCKER_CONTENT_TRUST is set, and the bot cannot check signatures.")
    return tuple(notes)
