"""What the engines hold: disk, images, volumes, networks, and the engines themselves."""

import re
from collections.abc import Sequence

from lab.claude.brain.talk import Stuck, Talk
from lab.claude.brain.words import host_in
from lab.claude.reply import Json

ROWS = 20
UNUSED = re.compile(r"\b(?:unused|dangling|old|orphan\w*|not (?:in use|used))\b", re.I)


def disks(talk: Talk) -> str:
    """Disk used by images, volumes and build cache, per host."""
    hosts = _rows(talk, "docker_get_system_info", "hosts")
    rows = [
        [
            h.get("host"),
            _gb(h, "disk_images_gb"),
            _gb(h, "disk_volumes_gb"),
            _gb(h, "disk_build_cache_gb"),
            _gb(h, "reclaimable_gb"),
        ]
        for h in hosts
    ]
    known = [h["reclaimable_gb"] for h in hosts if h.get("reclaimable_gb") is not None]
    free, least = sum(known), "At least " if len(known) < len(hosts) else ""
    tip = " Say “clean up” and I will propose it." if free >= 1 else ""
    table = _table(["host", "images", "volumes", "cache", "clean-up frees"], rows)
    more = "".join(f"\n- {line}" for h in hosts for line in by_name(h))
    only = f"\n\nOnly when you ask for it by name:\n{more}" if more else ""
    return f"{least}{free:.1f} GB could be reclaimed.{tip}\n\n{table}{only}"


def by_name(host: Json) -> list[str]:
    """What a clean-up takes along only when it is asked to."""
    lines = []
    for each in host.get("unused") or []:
        size = each.get("frees_mb") or each.get("frees_at_least_mb")
        if each.get("count") and each["kind"] not in ("dangling_images", "build_cache", "unused_networks"):
            least = "" if each.get("frees_mb") is not None else "at least "
            taken = f"{least}{size / 1000:.1f} GB" if size else "size unknown"
            lines.append(f"{each['kind'].replace('_', ' ')} on {host.get('host')}: {each['count']}, {taken}")
    return lines


def engines(talk: Talk) -> str:
    """The Docker engines and their sizes."""
    rows = [
        [
            h.get("host"),
            h.get("engine"),
            f"{h.get('running')} of {h.get('containers')}",
            h.get("cpus"),
            _gb(h, "memory_gb"),
        ]
        for h in _rows(talk, "docker_get_system_info", "hosts")
    ]
    return _table(["host", "engine", "running", "CPUs", "memory"], rows)


def images(talk: Talk) -> str:
    """Images, the largest first; only unused ones when asked for those."""
    found = _rows(talk, "docker_list_images", "images")
    if UNUSED.search(talk.said):
        found = [i for i in found if not i.get("in_use")]
    found.sort(key=lambda i: -(i.get("size_mb") or 0))
    rows = [
        [
            ", ".join(i.get("tags") or []) or "(untagged)",
            i.get("host"),
            f"{i['size_mb']:.0f} MB" if i.get("size_mb") is not None else "?",
            _use(i.get("in_use")),
        ]
        for i in found
    ]
    return _counted("image", rows, ["image", "host", "size", "used"])


def volumes(talk: Talk) -> str:
    """Volumes and who uses them; only unused ones when asked for those."""
    found = _rows(talk, "docker_list_volumes", "volumes")
    if UNUSED.search(talk.said):
        found = [v for v in found if not v.get("in_use_by")]
    rows = [[v.get("name"), v.get("host"), ", ".join(v.get("in_use_by") or []) or "nobody"] for v in found]
    return _counted("volume", rows, ["volume", "host", "used by"])


def networks(talk: Talk) -> str:
    """Networks and who is in them."""
    found = _rows(talk, "docker_list_networks", "networks")
    rows = [
        [n.get("name"), n.get("host"), n.get("driver"), ", ".join(n.get("containers") or []) or "nobody"] for n in found
    ]
    return _counted("network", rows, ["network", "host", "driver", "containers"])


def _rows(talk: Talk, tool: str, name: str) -> list[Json]:
    host = host_in(talk.said)
    result = talk.need(tool, host=host) if host else talk.need(tool)
    if result.failed:
        raise Stuck(result.text)
    return list(result.data.get(name) or [])


def _gb(row: Json, name: str) -> str:
    return f"{row[name]:.1f} GB" if row.get(name) is not None else "?"


def _use(in_use: object) -> str:
    return "yes" if in_use else "no"


def _counted(noun: str, rows: Sequence[Sequence[object]], header: list[str]) -> str:
    if not rows:
        return f"No such {noun}s."
    more = f"\n\n… and {len(rows) - ROWS} more." if len(rows) > ROWS else ""
    return f"{len(rows)} {noun}{'s' if len(rows) > 1 else ''}:\n\n{_table(header, rows[:ROWS])}{more}"


def _table(header: list[str], rows: Sequence[Sequence[object]]) -> str:
    lines: list[Sequence[object]] = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
