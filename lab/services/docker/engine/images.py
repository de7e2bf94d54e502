"""The image store of one host and the registry behind it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from lab.services.docker.engine.model import CacheRecord, Container, Image, Json, Manifest
from lab.services.docker.engine.rules import EngineError, Rules

_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._/:-]*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?")


def familiar(reference: str) -> str:
    """The short form Docker shows, always with a tag or a digest."""
    if not _REFERENCE.fullmatch(reference):
        raise EngineError(400, "invalid reference format")
    short = reference.removeprefix("docker.io/").removeprefix("library/")
    return short if "@" in short or ":" in short.rpartition("/")[2] else f"{short}:latest"


def repository(reference: str) -> str:
    """A reference without its tag and digest."""
    name = reference.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(":")[0]


class Images:
    """The images of one host."""

    def __init__(
        self, rules: Rules, registry: dict[str, Manifest], containers: Callable[[], Iterable[Container]]
    ) -> None:
        self.rules = rules
        self.registry = registry
        self.all: dict[str, Image] = {}
        self.cache: list[CacheRecord] = []
        self._containers = containers

    def get(self, ref: str) -> Image:
        """The image of this tag, digest, id or unique id prefix."""
        plain = ref.removeprefix("sha256:")
        if ref.startswith("sha256:") or re.fullmatch(r"[0-9a-f]{64}", ref):
            found = [image for image in self.all.values() if image.id[7:].startswith(plain)]
        else:
            name = familiar(ref)
            found = [image for image in self.all.values() if name in image.tags or name in image.digests]
        if not found and re.fullmatch(r"[0-9a-f]{4,}", plain):
            found = [image for image in self.all.values() if image.id[7:].startswith(plain)]
        if len(found) == 1:
            return found[0]
        raise EngineError(404, f"No such image: {ref if ref.startswith('sha256:') else familiar(ref)}")

    def users(self, image: Image) -> list[Container]:
        """The containers made from this image, running or not."""
        return [container for container in self._containers() if container.image_id == image.id]

    def manifest(self, ref: str) -> Manifest:
        """What the registry offers under this reference."""
        name = familiar(ref)
        if name in self.registry:
            return self.registry[name]
        repo = repository(name)
        offered = [m for tag, m in self.registry.items() if repository(tag) == repo]
        for manifest in offered:
            if name.endswith(f"@{manifest.digest}"):
                return manifest
        if offered:
            raise EngineError(404, f"manifest for {name} not found: manifest unknown: manifest unknown")
        raise EngineError(
            404,
            f"pull access denied for {repo}, repository does not exist or may require 'docker login': "
            "denied: requested access to the resource is denied",
        )

    def bytes_of(self, images: Iterable[Image]) -> int:
        """What these images take together: a layer that several have counts once."""
        return sum({chain: size for image in images for chain, size in image.weights.items()}.values())

    def shared_bytes(self, image: Image) -> int:
        """How much of an image others have, too."""
        others = {chain for other in self.all.values() if other is not image for chain in other.weights}
        return sum(size for chain, size in image.weights.items() if chain in others)

    def is_current(self, ref: str) -> bool:
        """Whether a pull of this reference would change nothing."""
        manifest, name = self.manifest(ref), familiar(ref)
        local = self.all.get(manifest.image.id)
        return local is not None and name in (*local.tags, *local.digests)

    def pull(self, ref: str) -> Image:
        """Fetch what the registry offers and move the tag to it; the old image keeps its digest alone."""
        manifest, name = self.manifest(ref), familiar(ref)
        if self.rules.lies("pull"):
            return manifest.image
        offered = manifest.image
        image = self.all.setdefault(offered.id, replace(offered, tags=[], digests=[]))
        digest = f"{repository(name)}@{manifest.digest}"
        if digest not in image.digests:
            image.digests.append(digest)
        if "@" not in name:
            self._move(name, image)
        return image

    def tag(self, ref: str, name: str) -> None:
        """Give an image one more name."""
        image, name = self.get(ref), familiar(name)
        if not self.rules.lies("tag"):
            self._move(name, image)

    def remove(self, ref: str, force: bool = False) -> list[Json]:
        """Untag, and delete the image when that was its last name; what was done, as dockerd lists it."""
        image = self.get(ref)
        by_id = ref.removeprefix("sha256:") == image.id[7 : 7 + len(ref.removeprefix("sha256:"))]
        done = self._remove_id(image, force) if by_id else self._remove_name(image, familiar(ref), force)
        if not self.rules.lies("remove_image"):
            self._apply(image, done)
        return done

    def prune(self, dangling_only: bool, matches: Callable[[Image], bool]) -> tuple[list[Json], int]:
        """Delete images no container uses; what was done and the bytes freed."""
        done: list[Json] = []
        freed = 0
        for image in list(self.all.values()):
            if self.users(image) or (dangling_only and image.tags) or not matches(image):
                continue
            steps = self._deletion(image)
            done += steps
            freed += image.size - self.shared_bytes(image)
            if not self.rules.lies("prune"):
                self._apply(image, steps)
        return done, freed

    def prune_cache(self, everything: bool, matches: Callable[[CacheRecord], bool]) -> tuple[list[str], int]:
        """Drop build cache that nothing uses or builds on, of the ordinary kind unless told otherwise."""
        gone: list[CacheRecord] = []
        while more := [record for record in self.cache if record not in gone and self._is_idle(record, gone)]:
            more = [record for record in more if (everything or _is_ordinary(record)) and matches(record)]
            if not more:
                break
            gone += more
        if not self.rules.lies("prune"):
            self.cache = [record for record in self.cache if record not in gone]
        return [record.id for record in gone], sum(record.size for record in gone)

    def _is_idle(self, record: CacheRecord, gone: list[CacheRecord]) -> bool:
        return not record.in_use and not any(record.id in other.parents for other in self.cache if other not in gone)

    def _move(self, name: str, image: Image) -> None:
        for other in self.all.values():
            if other is not image and name in other.tags:
                other.tags.remove(name)
        image.tagged = self.rules.now()
        if name not in image.tags:
            image.tags.append(name)

    def _remove_id(self, image: Image, force: bool) -> list[Json]:
        short, users = image.id[7:19], self.users(image)
        if running := [c for c in users if c.alive]:
            raise _conflict(short, "cannot be forced", f"image is being used by running container {running[0].id[:12]}")
        repositories = {repository(name) for name in image.tags}
        if not force and len(repositories) > 1:
            raise _conflict(short, "must be forced", "image is referenced in multiple repositories")
        if not force and users:
            raise _conflict(short, "must be forced", f"image is being used by stopped container {users[0].id[:12]}")
        return self._deletion(image)

    def _remove_name(self, image: Image, name: str, force: bool) -> list[Json]:
        same_repo = [d for d in image.digests if repository(d) == repository(name)]
        if [tag for tag in image.tags if tag != name]:
            siblings = [t for t in image.tags if t != name and repository(t) == repository(name)]
            return [{"Untagged": name}, *({"Untagged": d} for d in same_repo if not siblings)]
        users = self.users(image)
        if users and not force:
            raise EngineError(
                409,
                f'conflict: unable to remove repository reference "{name}" (must force) - container '
                f"{users[0].id[:12]} is using its referenced image {image.id[7:19]}",
            )
        return [{"Untagged": name}, *({"Untagged": d} for d in same_repo)] if users else self._deletion(image)

    def _apply(self, image: Image, steps: list[Json]) -> None:
        gone = {step["Untagged"] for step in steps if "Untagged" in step}
        image.tags = [tag for tag in image.tags if tag not in gone]
        image.digests = [digest for digest in image.digests if digest not in gone]
        if any(step.get("Deleted") == image.id for step in steps):
            del self.all[image.id]

    def _deletion(self, image: Image) -> list[Json]:
        """Its names, itself, and the layers that no other image has."""
        others = {chain for other in self.all.values() if other is not image for chain in other.weights}
        names = [{"Untagged": name} for name in (*image.tags, *image.digests)]
        layers = [chain for chain in image.weights if chain not in others]
        return [*names, {"Deleted": image.id}, *({"Deleted": layer} for layer in reversed(layers))]


def _conflict(short: str, force: str, why: str) -> EngineError:
    return EngineError(409, f"conflict: unable to delete {short} ({force}) - {why}")


def _is_ordinary(record: CacheRecord) -> bool:
    return not record.shared and record.kind not in ("internal", "frontend")
