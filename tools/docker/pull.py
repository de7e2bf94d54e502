"""Fetch an image from its registry."""

import json
from typing import Annotated

from tools.docker.hosts import LONG_PATIENCE, DockerHosts, Engine, service
from tools.docker.names import Host
from tools.docker.rows import short, tags_of
from tools.kit import Change, Context, Facts, Field, Ident, Refused, Risk, Shown, or_else
from tools.kit.failures import quote
from tools.kit.masking import seen
from tools.kit.raw import Raw, record, records, text, texts

DIGITS = 16
"""Digits of a digest that are shown and compared."""

ImageName = Annotated[
    str,
    Field(
        description="Image as repository:tag, e.g. jellyfin/jellyfin:10.9; without a tag it means latest.",
        min_length=1,
        max_length=255,
        pattern=(
            # No `..`, and a port only before a path: the SDK would make another address, or another name, of those.
            r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*(:[0-9]{1,5}/[a-zA-Z0-9_][a-zA-Z0-9_.-]*)?(/[a-zA-Z0-9_][a-zA-Z0-9_.-]*)*"
            r"(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
        ),
    ),
]


class PullFacts(Facts):
    """What the host has under a tag, and what the registry offers."""

    local: Shown[Ident | None]
    """Digest of the local image; absent when there is none, or it was built here."""
    registry: Shown[Ident]
    """Digest the registry offers, or `unknown`."""
    host: Ident
    image_id: Ident | None = None
    known: bool = False
    """Whether the host has any image of this repository: only then the registry is asked beforehand."""


@service.tool(Risk.CHANGE)
async def pull_image(ctx: Context[DockerHosts], image: ImageName, host: Host | None = None) -> Change[PullFacts]:
    """Fetch the newest image of a tag from its registry; containers keep the old one until they are made anew."""
    engine = ctx.client.one(host)
    if ctx.client.options.only_signed:
        raise Refused(
            "DOCKER_CONTENT_TRUST is set, and the bot cannot check signatures: pull it with the docker command."
        )
    reference = with_tag(image)
    facts = await ctx.read(pull_facts, engine.name, reference, not ctx.tainted)
    fetched: list[str] = []

    async def do(hosts: DockerHosts) -> None:
        report = await hosts.one(engine.name).ask(
            lambda api: pulled(*api.fetch(*split(reference))), patience=LONG_PATIENCE
        )
        fetched.append(report)

    def expect(before: PullFacts, after: PullFacts) -> bool:
        wanted = before.registry if before.registry != "unknown" else next(iter(fetched), "")
        return after.local is not None and after.local == wanted

    notes = ["No undo: the old image stays on the host, without its tag, until it is pruned."]
    if facts.registry == "unknown":
        notes.append("What the registry offers is not known beforehand.")
    return Change(
        f"Pull {short(reference)} on {engine.name}",
        facts=facts,
        do=do,
        expect=expect,
        notes=tuple(notes),
        deadline=300.0,
    )


async def pull_facts(client: DockerHosts, host: str, reference: str, look_outside: bool) -> PullFacts:
    """The digests of one image here and, when it may look outside, at its registry."""
    engine = client.one(host)
    repository = split(reference)[0]
    images = records(await engine.ask(lambda api: api.images()))
    known = any(familiar(repository) in repositories_of(image) for image in images)
    local = await engine.image(reference) or {}
    digests = [*map(_shown, digests_of(local, reference))]
    # Asking a registry tells it what was asked for. Before anybody approved, only registries in use are asked, and
    # none at all when text from outside may have chosen the tag.
    registry = await _offered(engine, reference) if known and look_outside else "unknown"
    return PullFacts(
        host=host,
        local=registry if registry in digests else next(iter(digests), None),
        registry=registry,
        image_id=short(text(local.get("Id"))) or None,
        known=known,
    )


def with_tag(image: str) -> str:
    """The reference with its tag spelled out."""
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def familiar(name: str) -> str:
    """A name as docker prints it: without the registry everybody uses by default."""
    for prefix in ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/", "library/"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def digests_of(image: Raw, name: str) -> list[str]:
    """The digests that an image has by the name of this repository."""
    repository = familiar(split(with_tag(name))[0])
    pairs = (digest.partition("@") for digest in texts(image.get("RepoDigests")))
    return sorted(digest for named, _, digest in pairs if familiar(named) == repository)


def repositories_of(image: Raw) -> set[str]:
    """The repositories an image has a name in."""
    tags = {familiar(tag).rpartition(":")[0] for tag in tags_of(image)}
    return tags | {familiar(digest.partition("@")[0]) for digest in texts(image.get("RepoDigests"))}


async def _offered(engine: Engine, reference: str) -> str:
    nothing: Raw = {}
    found = await or_else(engine.ask(lambda api: api.offered(reference)), nothing)
    return _shown(text(record(found.get("Descriptor")).get("digest"))) or "unknown"


def _shown(digest: str) -> str:
    return digest[: len("sha256:") + DIGITS] if digest.startswith("sha256:") else ""


def split(reference: str) -> tuple[str, str]:
    """Repository and tag or digest, as the SDK wants them."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return (repository.rpartition(":")[0] if ":" in repository.rpartition("/")[2] else repository), digest
    repository, _, tag = reference.rpartition(":")
    return repository, tag


def pulled(report: str, wrong: str) -> str:
    """The digest in the engine's report of a pull. Raises Refused when the report ends in an error.

    `wrong` is what was wrong with the registry's credentials.
    """
    digest = ""
    for line in report.splitlines():
        try:
            step = record(json.loads(line))
        except (ValueError, RecursionError):
            continue
        if why := text(step.get("error")) or text(record(step.get("errorDetail")).get("message")):
            then = f"it was asked without credentials, for {wrong}" if wrong else "check its name and the registry"
            raise Refused(f"The image could not be pulled ({quote(why, seen)}): {then}.")
        if text(step.get("status")).startswith("Digest: "):
            digest = _shown(text(step["status"]).removeprefix("Digest: ").strip())
    return digest
