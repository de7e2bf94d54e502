"""/volumes and /networks."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.services.docker import query, shapes
from lab.services.docker.engine.model import Network, Volume
from lab.services.docker.engine.rules import EngineError
from lab.services.docker.target import target


def routes() -> list[Route]:
    """Every path below /volumes and /networks."""
    return [
        Route("/volumes", list_volumes, methods=["GET"]),
        Route("/volumes/create", create_volume, methods=["POST"]),
        Route("/volumes/prune", prune_volumes, methods=["POST"]),
        Route("/volumes/{name}", inspect_volume, methods=["GET"]),
        Route("/volumes/{name}", remove_volume, methods=["DELETE"]),
        Route("/networks", list_networks, methods=["GET"]),
        Route("/networks/create", create_network, methods=["POST"]),
        Route("/networks/prune", prune_networks, methods=["POST"]),
        Route("/networks/{ref}", inspect_network, methods=["GET"]),
        Route("/networks/{ref}", remove_network, methods=["DELETE"]),
        Route("/networks/{ref}/connect", connect, methods=["POST"]),
        Route("/networks/{ref}/disconnect", disconnect, methods=["POST"]),
    ]


async def list_volumes(request: Request) -> Response:
    """GET /volumes"""
    volumes = target(request).host.volumes
    given = query.filters(request, ("dangling", "driver", "label", "label!", "name"))
    passes = query.labelled(given)
    dangling = query.truth(given, "dangling", False) if "dangling" in given else None

    def matches(volume: Volume) -> bool:
        return (
            passes(volume.labels)
            and (dangling is None or dangling == (not volumes.users(volume.name)))
            and volume.driver in given.get("driver", [volume.driver])
            and any(part in volume.name for part in given.get("name", [""]))
        )

    found = [shapes.volume(volume) for volume in volumes.all.values() if matches(volume)]
    return JSONResponse({"Volumes": found, "Warnings": None})


async def inspect_volume(request: Request) -> Response:
    """GET /volumes/{name}"""
    return JSONResponse(shapes.volume(target(request).host.volumes.get(request.path_params["name"])))


async def create_volume(request: Request) -> Response:
    """POST /volumes/create"""
    given = await query.body(request)
    if given.get("Driver") not in (None, "", "local"):
        raise EngineError(
            404, f'error looking up volume plugin {given["Driver"]}: plugin "{given["Driver"]}" not found'
        )
    volumes = target(request).host.volumes
    made = volumes.create(given.get("Name") or "", given.get("Labels"), given.get("DriverOpts"))
    return JSONResponse(shapes.volume(made), 201)


async def remove_volume(request: Request) -> Response:
    """DELETE /volumes/{name}"""
    target(request).host.volumes.remove(request.path_params["name"], query.flag(request, "force"))
    return Response(status_code=204)


async def prune_volumes(request: Request) -> Response:
    """POST /volumes/prune: the anonymous ones, and since API 1.42 the named ones only with all=true."""
    given = query.filters(request, ("all", "label", "label!"))
    passes = query.labelled(given)
    include_named = query.truth(given, "all", False) or request.scope["api_version"] < 42
    names, freed = target(request).host.volumes.prune(include_named, lambda volume: passes(volume.labels))
    return JSONResponse({"VolumesDeleted": names or None, "SpaceReclaimed": freed})


async def list_networks(request: Request) -> Response:
    """GET /networks"""
    host = target(request).host
    given = query.filters(request, ("dangling", "driver", "id", "label", "label!", "name", "scope", "type"))
    passes = query.labelled(given)
    dangling = query.truth(given, "dangling", False) if "dangling" in given else None

    def matches(network: Network) -> bool:
        unused = not network.predefined and not host.networks.users(network)
        return (
            passes(network.labels)
            and (dangling is None or dangling == unused)
            and network.driver in given.get("driver", [network.driver])
            and any(part in network.name for part in given.get("name", [""]))
            and any(network.id.startswith(part) for part in given.get("id", [""]))
        )

    found = [n for n in host.networks.all.values() if matches(n)]
    return JSONResponse([shapes.network(host, network, members=False) for network in found])


async def inspect_network(request: Request) -> Response:
    """GET /networks/{id}"""
    host = target(request).host
    return JSONResponse(shapes.network(host, host.networks.get(request.path_params["ref"]), members=True))


async def create_network(request: Request) -> Response:
    """POST /networks/create"""
    made = target(request).host.networks.create(await query.body(request))
    return JSONResponse({"Id": made.id, "Warning": ""}, 201)


async def remove_network(request: Request) -> Response:
    """DELETE /networks/{id}"""
    target(request).host.networks.remove(request.path_params["ref"])
    return Response(status_code=204)


async def connect(request: Request) -> Response:
    """POST /networks/{id}/connect"""
    host, given = target(request).host, await query.body(request)
    container = host.get(given.get("Container") or "")
    host.networks.connect(request.path_params["ref"], container, given.get("EndpointConfig") or {})
    return Response()


async def disconnect(request: Request) -> Response:
    """POST /networks/{id}/disconnect"""
    host, given = target(request).host, await query.body(request)
    host.networks.disconnect(request.path_params["ref"], host.get(given.get("Container") or ""))
    return Response()


async def prune_networks(request: Request) -> Response:
    """POST /networks/prune"""
    host = target(request).host
    given = query.filters(request, ("until", "label", "label!"))
    passes, old = query.labelled(given), query.before_until(given, host.rules.now())
    names = host.networks.prune(lambda network: passes(network.labels) and old(network.created))
    return JSONResponse({"NetworksDeleted": names or None})
