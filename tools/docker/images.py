"""Remove an image."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from tools.docker.disk import MEASURING
from tools.docker.hosts import LONG_PATIENCE, DockerHosts, Engine, service
from tools.docker.layers import UNKNOWN, Amount, freed, read_layers, read_steps
from tools.docker.names import Host, list_all
from tools.docker.pull import ImageName, familiar, pull_image, with_tag
from tools.docker.rows import is_forbidden, name_of, short, tags_of
from tools.kit import Call, Change, Conflict, Context, Facts, Gone, Ident, Refused, Risk, Shown, ToolFailed, or_else
from tools.kit.raw import MB, Raw, record, records, size, text, texts
from tools.kit.threads import within
from tools.kit.types import trusted_name

if TYPE_CHECKING:
    from tools.docker.session import Session


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
    if facts.used_by and len(facts.tags) <= 1:
        raise _kept("The engine keeps this image for {}: remove that container first.", facts.used_by)
    if len(facts.tags) > 1 and "@" not in image and familiar(with_tag(image)) not in map(familiar, facts.tags):
        raise _kept("It has several tags: say which one of {} is to go.", facts.tags)

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
        notes=(*_notes(facts, ctx.client.options.only_signed), *await _gain(engine, facts)),
        deadline=LONG_PATIENCE + 20,
    )


async def image_facts(client: DockerHosts, host: str, reference: str) -> ImageFacts:
    """The facts about one image of one host."""
    engine = client.one(host)
    try:
        raw, podman = await engine.ask(lambda api: (api.image(reference), api.podman))
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
        # Podman has a digest by a registry's name for what was built here, too: there it proves nothing.
        can_be_pulled=bool(texts(raw.get("RepoDigests"))) and bool(tags_of(raw)) and not podman,
        forbidden=is_forbidden(record(raw.get("Config"))),
    )


async def _holder(client: DockerHosts, image: str, host: str | None) -> Engine:
    """The one host that has this image. Raises ToolFailed when that is not clear."""
    if host is not None or len(client) == 1:
        return client.one(host)

    found, down = await client.each(lambda engine: engine.image(image))
    holders = [name for name, there in found.items() if there is not None]
    if len(holders) == 1 and not down:
        return client.one(holders[0])
    if not holders and not down:
        raise Gone("No host has this image: list the images to see their names.")
    names = ", ".join([*holders, *(each.name for each in down)])
    raise ToolFailed(f"The image may be on several hosts: say which one of {names}.")


def _kept(why: str, names: tuple[str, ...]) -> Conflict:
    """A refusal of what the engine would not do either, instead of a card that promises it."""
    error = Conflict(why.format(", ".join(names[:5])))
    error.outside = not all(map(trusted_name, names))
    return error


async def _gain(engine: Engine, facts: ImageFacts) -> tuple[str, ...]:
    """How much less than its size an image frees, because others have its layers, too."""
    if facts.state == "gone" or len(facts.tags) > 1:
        return ()

    def ask(api: "Session") -> Amount:
        listed: Any = api.images()
        mine, others = read_layers(api, text(facts.id)), []
        with within(MEASURING):
            others = [read_layers(api, text(item.get("Id"))) for item in records(listed) if not _is(item, facts)]
            mine = replace(mine, steps=read_steps(api, text(facts.id)))
        return freed([mine], others)[0]

    found = await or_else(engine.ask(ask), UNKNOWN)
    gain = size(found.bytes, MB)
    if found.exact and gain == facts.size_mb:
        return ()
    least = f"{'' if found.exact else 'at least '}{gain} MB"
    return (f"Frees {least if gain or found.exact else 'an unknown part'}: other images keep the layers they share.",)


def _is(listed: Raw, facts: ImageFacts) -> bool:
    return short(text(listed.get("Id"))) == facts.id


def _notes(facts: ImageFacts, only_signed: bool) -> tuple[str, ...]:
    notes = []
    if len(facts.tags) > 1:
        notes.append("It has other tags: only this one goes, no space is freed.")
    if facts.state == "present" and not facts.can_be_pulled:
        notes.append("No undo: no registry is known to have it.")
    elif facts.state == "present" and only_signed:
        notes.append("No undo: DOCKER_CONTENT_TRUST is set, and the bot cannot check signatures.")
    return tuple(notes)
