"""/images, /distribution and /build: the image store, the registry and the build cache."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lab.services.docker import query, shapes, streams
from lab.services.docker.engine.images import Images, familiar, repository
from lab.services.docker.engine.model import Image
from lab.services.docker.engine.rules import EngineError
from lab.services.docker.target import target

_FILTERS = ("before", "dangling", "label", "label!", "reference", "since", "until")


def routes() -> list[Route]:
    """Every path below /images, /distribution and /build."""
    one = "/images/{ref:path}"
    return [
        Route("/images/json", list_images, methods=["GET"]),
        Route("/images/create", pull, methods=["POST"]),
        Route("/images/prune", prune, methods=["POST"]),
        Route(f"{one}/json", inspect, methods=["GET"]),
        Route(f"{one}/history", history, methods=["GET"]),
        Route(f"{one}/tag", tag, methods=["POST"]),
        Route(one, remove, methods=["DELETE"]),
        Route("/distribution/{ref:path}/json", distribution, methods=["GET"]),
        Route("/build/prune", prune_cache, methods=["POST"]),
    ]


async def list_images(request: Request) -> Response:
    """GET /images/json"""
    host = target(request).host
    matches = _matcher(host.images, query.filters(request, _FILTERS), host.rules.now())
    found = sorted((i for i in host.images.all.values() if matches(i)), key=lambda image: -image.created)
    counted = query.flag(request, "shared-size")
    return JSONResponse([shapes.image_row(host, image, counted) for image in found])


async def inspect(request: Request) -> Response:
    """GET /images/{name}/json"""
    return JSONResponse(shapes.image_details(target(request).host.images.get(request.path_params["ref"])))


async def history(request: Request) -> Response:
    """GET /images/{name}/history"""
    image = target(request).host.images.get(request.path_params["ref"])
    steps = [("RUN /bin/sh -c set -eux", size) for size in image.weights.values()]
    steps[:1] = [("ADD rootfs.tar.xz /", steps[0][1]), ("ENV LANG=C.UTF-8", 0)]
    steps.append(("CMD", 0))
    newest = len(steps) - 1
    told = [
        {
            "Id": image.id if number == newest else "<missing>",
            "Created": int(image.created),
            "CreatedBy": by,
            "Tags": image.tags if number == newest else None,
            "Size": size,
            "Comment": "buildkit.dockerfile.v0",
        }
        for number, (by, size) in enumerate(steps)
    ]
    return JSONResponse(told[::-1])


async def pull(request: Request) -> Response:
    """POST /images/create"""
    host = target(request).host
    name, label = request.query_params.get("fromImage", ""), request.query_params.get("tag", "")
    if not name:
        raise EngineError(400, "only pulling is simulated: fromImage is required")
    ref = name
    if label:
        ref = f"{repository(name)}{'@' if label.startswith('sha256:') else ':'}{label}"
    host.images.manifest(ref)
    return StreamingResponse(streams.pull(host, ref), media_type="application/json")


async def tag(request: Request) -> Response:
    """POST /images/{name}/tag"""
    repo, label = request.query_params.get("repo", ""), request.query_params.get("tag", "")
    name = f"{repo}:{label}" if label else repo
    target(request).host.images.tag(request.path_params["ref"], name)
    return Response(status_code=201)


async def remove(request: Request) -> Response:
    """DELETE /images/{name}"""
    done = target(request).host.images.remove(request.path_params["ref"], query.flag(request, "force"))
    return JSONResponse(done)


async def prune(request: Request) -> Response:
    """POST /images/prune"""
    host = target(request).host
    given = query.filters(request, ("dangling", "until", "label", "label!"))
    passes, old = query.labelled(given), query.before_until(given, host.rules.now())
    done, freed = host.images.prune(
        query.truth(given, "dangling", True),
        lambda image: passes(image.config.get("Labels")) and old(image.created),
    )
    return JSONResponse({"ImagesDeleted": done or None, "SpaceReclaimed": freed})


async def prune_cache(request: Request) -> Response:
    """POST /build/prune"""
    host = target(request).host
    known = ("until", "id", "parent", "type", "description", "inuse", "shared", "private")
    old = query.before_until(query.filters(request, known), host.rules.now())
    gone, freed = host.images.prune_cache(query.flag(request, "all"), lambda record: old(record.used))
    return JSONResponse({"CachesDeleted": gone or None, "SpaceReclaimed": freed})


async def distribution(request: Request) -> Response:
    """GET /distribution/{name}/json"""
    manifest = target(request).host.images.manifest(request.path_params["ref"])
    kind = "application/vnd.oci.image.index.v1+json"
    descriptor = {"mediaType": kind, "digest": manifest.digest, "size": 1609}
    platforms = [{"architecture": name, "os": "linux"} for name in ("amd64", "arm64")]
    return JSONResponse({"Descriptor": descriptor, "Platforms": platforms})


def _matcher(images: Images, given: query.Filters, now: float) -> Callable[[Image], bool]:
    passes, old = query.labelled(given), query.before_until(given, now)
    dangling = query.truth(given, "dangling", False) if "dangling" in given else None
    before = [images.get(ref).created for ref in given.get("before", [])]
    since = [images.get(ref).created for ref in given.get("since", [])]
    wanted = given.get("reference", [])

    def referenced(image: Image) -> bool:
        return not wanted or any(
            familiar(value) == tag or value == repository(tag) for value in wanted for tag in image.tags
        )

    def matches(image: Image) -> bool:
        return (
            passes(image.config.get("Labels"))
            and old(image.created)
            and (dangling is None or dangling == (not image.tags))
            and all(image.created < limit for limit in before)
            and all(image.created > limit for limit in since)
            and referenced(image)
        )

    return matches
