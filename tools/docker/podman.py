"""Podman speaks Docker's API with words of its own: what it says of a container, in words that creation accepts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tools.kit import OutcomeUnknown, ToolFailed
from tools.kit.raw import Raw, record, records, text, texts

if TYPE_CHECKING:
    from tools.docker.session import Session


LEFT_OUT = "Podman does not tell everything: Undo brings back no sysctls, log options, IPC mode or chosen addresses."
"""What no inspection by Podman shows, as a line for the card."""
STATES = {"configured": "created", "initialized": "created", "stopping": "running", "stopped": "exited"}
"""Podman's own words for the state of a container → dockerd's."""
ULIMITS = frozenset({
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
})  # fmt: skip


def in_dockers_words(inspected: Raw, *, podman: bool) -> Raw:
    """An inspection as dockerd would write it; what only Podman means differently is changed only for Podman."""
    settings, config = dict(record(inspected.get("HostConfig"))), dict(record(inspected.get("Config")))
    if limits := records(settings.get("Ulimits")):
        settings["Ulimits"] = [{**limit, "Name": _ulimit(limit)} for limit in limits]
    if settings.get("CpuQuota") or settings.get("CpuPeriod"):
        settings["NanoCpus"] = 0  # the same once more, worked out from these two; together they are refused
    found = {**inspected, "HostConfig": settings, "Config": config}
    return _from_podman(found, settings, config) if podman else found


def _from_podman(found: Raw, settings: Raw, config: Raw) -> Raw:
    settings["Devices"] = [
        {**device, "CgroupPermissions": device.get("CgroupPermissions") or "rwm"}
        for device in records(settings.get("Devices"))
    ]
    if settings.get("MemorySwappiness") == -1 or not settings.get("Memory"):
        settings["MemorySwappiness"] = None  # nobody has set it; said back as a number, it would be
    config["StopTimeout"] = config.get("StopTimeout") or None  # 0 stands for nobody having said how long
    made_up = f"HOSTNAME={text(config.get('Hostname'))}"
    config["Env"] = [line for line in texts(config.get("Env")) if line != made_up]
    if config.get("Entrypoint") == [""]:
        config["Entrypoint"] = None  # cleared; an empty list says that the image has none
    state = dict(record(found.get("State")))
    # One that its policy starts again is `stopped` between two crashes; one that stays off is soon `exited`.
    between = state.get("Status") == "stopped" and found.get("RestartCount")
    state["Status"] = "restarting" if between else STATES.get(text(state.get("Status")), state.get("Status"))
    networks = record(found.get("NetworkSettings"))
    endpoints = {name: {**record(each), "MacAddress": ""} for name, each in record(networks.get("Networks")).items()}
    return {**found, "State": state, "NetworkSettings": {**networks, "Networks": endpoints}}


def _ulimit(limit: Raw) -> str:
    name = text(limit.get("Name"))
    return name.removeprefix("RLIMIT_").lower() if name.startswith("RLIMIT_") else name


def unsayable(inspected: Raw, native: Raw) -> str:
    """What keeps Podman from making the same container again, as a clause; empty when nothing does.

    `native` is the inspection that Podman gives its own clients.
    """
    settings, config = record(inspected.get("HostConfig")), record(inspected.get("Config"))
    test = texts(record(config.get("Healthcheck")).get("Test"))
    if native.get("Pod"):
        return "it belongs to a pod"
    if record(native.get("Config")).get("Secrets"):
        return "nobody can read its secrets back"
    if native.get("Rootfs") or not text(config.get("Image")):
        return "it was not made from an image"
    if settings.get("UsernsMode") not in ("", "host", None):
        return "nobody can read its user mapping back"
    if test[:1] == ["CMD"] and any(len(word.split()) != 1 for word in test):
        return "Podman would take its health check apart"
    unknown = [limit for limit in records(settings.get("Ulimits")) if text(limit.get("Name")) not in ULIMITS]
    return "Podman does not take its limits back" if unknown else ""


@contextmanager
def awake(api: "Session", container: str, state: str) -> Iterator[None]:
    """Podman neither stops nor restarts what is paused: there it goes on first, and a failure then is no clean one."""
    woken = api.podman and state == "paused"
    if woken:
        api.unpause(container)
    try:
        yield
    except ToolFailed as error:
        if woken:
            raise OutcomeUnknown(f"It was woken, but perhaps no more than that. {error}") from error
        raise
