"""What people say to Docker, in rows, and how its answers are told."""

from lab.kit.intents import Intent
from lab.kit.rest import Json
from lab.kit.telling import condition, facts, figure, key, label, listed, moment, table, unreachable

BROKEN = ("unhealthy", "troubled", "broken", "failing", "crashing", "sick", "kaputten", "rotos")
STOPPED = ("stopped", "exited", "down", "not running", "laufen nicht", "gestoppten", "parados")
TROUBLE = ("down", "unhealthy", "failing", "failed", "stopped", "offline", "dead", "on fire", "trouble", "restarting",
           "not running", "attention", "los", "kaputt", "caído", "running")  # fmt: skip
MEASURES = ("memory", "ram", "cpu", "resources", "processor", "arbeitsspeicher", "speicher", "memoria")
RUBBISH = {"dangling": "dangling_images", "cache": "build_cache", "image": "unused_images", "volume": "volumes",
           "stopped container": "stopped_containers", "container": "stopped_containers",
           "network": "unused_networks"}  # fmt: skip
WORTH_GB, BUSIEST = 0.05, 24
"""What makes a clean-up worth proposing; how many are measured when somebody asks who uses most."""


def _overview(data: Json) -> str:
    found, lost = data["containers"], unreachable(data)
    bad = sorted((c for c in found if key(c) in data["troubled"]), key=lambda c: -(c.get("restarts") or 0))
    resting = [c["name"] + (f" ({condition(c)})" if c.get("stopped_by") else "") for c in found
               if c["state"] in ("exited", "created") and c not in bad]  # fmt: skip
    off = f"\n\nNot running, and it looks intended: {listed(resting)}." if resting else ""
    if not bad and not lost:
        return f"Nothing needs you. {data['running']} of {len(found)} containers run, none is unhealthy.{off}"
    verb = "needs" if len(bad) == 1 else "need"
    head = f"{len(bad)} of {len(found)} containers {verb} attention; {data['running']} run."
    lines = "\n".join([f"- {label(c)}: {condition(c)}" for c in bad] + lost)
    ask = f"\n\nAsk me “why is {bad[0]['name']} in trouble?” and I will read its logs." if bad else ""
    return f"{head}\n\n{lines}{off}{ask}"


def _catalogue(data: Json) -> str:
    which = data["asked"].get("_which", "")
    found = [c for c in data["containers"] if not which or (c["state"] == "running") == (which not in STOPPED)]
    found.sort(key=lambda c: (key(c) not in data["troubled"], key(c)))
    rows = table("container", "container host state", [(c["name"], c["host"], condition(c)) for c in found])
    return "\n\n".join([rows, *unreachable(data)])


def _state(c: Json) -> str:
    healthy = " and healthy" if c["health"] == "healthy" else ""
    return f"{label(c)} is {condition(c)}{healthy}{', since ' + moment(c['since']) if c.get('since') else ''}."


def _details(c: Json) -> str:
    return f"{label(c)} is {condition(c)}.\n\n" + facts({
        "image": f"`{c['image']}`", "health": c["health"] if c["health"] != "none" else None,
        "since": moment(c["since"]) if c.get("since") else None, "restart policy": c["restart_policy"],
        "project": c.get("compose_project"), "networks": ", ".join(c["networks"]), "ports": ", ".join(c["ports"]),
        "mounts": "; ".join(f"{m.get('name') or m.get('source', '?')} → {m['target']}" for m in c["mounts"]),
        "environment": ", ".join(f"`{entry.partition('=')[0]}`" for entry in c["env"][:12]),
        "memory limit": figure(c["memory_limit_mb"], "MB") if c.get("memory_limit_mb") else None,
    })  # fmt: skip


def _stats(c: Json) -> str:
    limit = f" of {c['memory_limit_mb']:.0f} MB" if c.get("memory_limit_mb") else ""
    share = f" ({c['memory_percent']:.0f} %)" if c.get("memory_percent") is not None else ""
    memory = f"memory {figure(c.get('memory_mb'), 'MB')}{limit}{share}"
    network = f"network {figure(c.get('network_rx_mb'), 'MB')} in, {figure(c.get('network_tx_mb'), 'MB')} out"
    return f"{label(c)} right now: CPU {figure(c.get('cpu_percent'), '%', 1)}, {memory}, {network}."


def _busiest(data: Json) -> str:
    by = "cpu_percent" if data["asked"]["_by"] in ("cpu", "processor") else "memory_mb"
    found = sorted((c for c in data["each"] if c.get(by) is not None), key=lambda c: -c[by])
    rows = [(c["name"], c["host"], figure(c.get("cpu_percent"), "%", 1), figure(c.get("memory_mb"), "MB"))
            for c in found[:8]]  # fmt: skip
    return f"The most of {len(data['each'])} running containers, " + table("row", "container host CPU memory", rows)


def _disks(data: Json) -> str:
    sizes = ("disk_images_gb", "disk_volumes_gb", "disk_build_cache_gb", "reclaimable_gb")
    rows = [(h["host"], *(figure(h.get(size), "GB", 1) for size in sizes)) for h in data["hosts"]]
    known = [h["reclaimable_gb"] for h in data["hosts"] if h.get("reclaimable_gb") is not None]
    least = "At least " if len(known) < len(rows) else ""
    tip = " Say “clean up” and I will propose it." if sum(known) >= WORTH_GB else ""
    only = "\n".join(["\n\nOnly when you ask for it by name:\n", *_by_name(data)]) if _by_name(data) else ""
    hosts = table("host", "host images volumes cache clean-up", rows)
    return f"{least}{sum(known):.1f} GB could be reclaimed.{tip}\n\n{hosts}{only}"


def _by_name(data: Json) -> list[str]:
    """What a clean-up takes along only when it is asked to."""
    lines = []
    for host, each in ((h["host"], each) for h in data["hosts"] for each in h.get("unused") or []):
        size = each.get("frees_mb") or each.get("frees_at_least_mb")
        if each.get("count") and each["kind"] not in ("dangling_images", "build_cache", "unused_networks"):
            least = "" if each.get("frees_mb") is not None else "at least "
            taken = f"{least}{size / 1000:.1f} GB" if size else "size unknown"
            lines.append(f"- {each['kind'].replace('_', ' ')} on {host}: {each['count']}, {taken}")
    return lines


def _clean(data: Json) -> list[Json] | str:
    """A clean-up of each host where there is something to gain, or of the one that was named."""
    kind, asked = RUBBISH.get(data["asked"].get("_kind", "")), data["asked"].get("_host")
    hosts = [h for h in data["hosts"] if h["host"] == asked or (not asked and _is_worth_it(h, kind))]
    more = {"kinds": [], "volumes": True} if kind == "volumes" else {"kinds": [kind]} if kind else {}
    if hosts:
        return [{"host": h["host"], **more} for h in hosts]
    only = "\n".join([" What I remove only when you name it:\n", *_by_name(data)]) if _by_name(data) else ""
    return f"There is next to nothing to reclaim, so I propose no clean-up.{only}"


def _is_worth_it(host: Json, kind: str | None) -> bool:
    if kind:
        return any(each["count"] != 0 for each in host.get("unused") or [] if kind in each["kind"])
    return host.get("reclaimable_gb") is None or bool(host["reclaimable_gb"] >= WORTH_GB)


def _chosen(data: Json) -> list[Json] | str:
    stopped = data["asked"]["_which"] in STOPPED
    found = [c for c in data["containers"] if (c["state"] == "exited" if stopped else key(c) in data["troubled"])]
    return [{"container": key(c)} for c in found] or "No container is in that state, so there is nothing to do."


def _running(data: Json) -> list[Json] | str:
    return [{"container": key(c)} for c in data["containers"] if c["state"] == "running"][:BUSIEST] or "None runs."


def _image(data: Json) -> list[Json]:
    return [{"image": data["image"], "host": data["host"]}]


def _logs(data: Json) -> str:
    if not data["lines"]:
        return f"{label(data)} has no such log lines. {data.get('note') or ''}".strip()
    shown = [line.replace("```", "'''") for line in data["lines"]][-15:]
    head = f"{label(data)}, the last {len(shown)} of {data['shown']} lines read:"
    return f"{head}\n\n```\n" + "\n".join(shown) + "\n```"


def _used(row: Json) -> str:
    return ", ".join(row.get("in_use_by") or row.get("containers") or []) or "nobody"


def _images(data: Json) -> str:
    found = [i for i in data["images"] if not data["asked"].get("_unused") or not i["in_use"]]
    found.sort(key=lambda i: -(i.get("size_mb") or 0))
    return table("image", "image host size used", [
        (", ".join(i["tags"]) or "(untagged)", i["host"], figure(i.get("size_mb"), "MB"), "yes" * i["in_use"] or "no")
        for i in found
    ])  # fmt: skip


def _volumes(data: Json) -> str:
    found = [v for v in data["volumes"] if not data["asked"].get("_unused") or not v["in_use_by"]]
    return table("volume", "volume host used-by", [(v["name"], v["host"], _used(v)) for v in found])


def _networks(data: Json) -> str:
    rows = [(n["name"], n["host"], n["driver"], _used(n)) for n in data["networks"]]
    return table("network", "network host driver containers", rows)


def _engines(data: Json) -> str:
    return table("host", "host engine running CPUs memory", [
        (h["host"], h.get("engine"), f"{h.get('running')} of {h.get('containers')}", h.get("cpus"),
         figure(h.get("memory_gb"), "GB", 1)) for h in data["hosts"]
    ])  # fmt: skip


def _updates(data: Json) -> str:
    found = data["images"]
    due = [i for i in found if i["verdict"] in ("new image", "newer tag")]
    lines = [f"- {_several(i)}: {_due(i)}" for i in due]
    doubt = [f"- {_several(i)}: unknown, {i['why']}" for i in found if i["verdict"] == "unknown"]
    if not due:
        head = "Nothing that I could compare is outdated." if doubt else f"No. {_all(found)} up to date."
    else:
        head = f"Yes: {len(due)} of {len(found)} images have an update."
    tip = "\n\nSay “update everything” or “update " + due[0]["containers"][0] + "”." if due else ""
    return "\n".join([f"{head}\n", *lines, *doubt, *unreachable(data)]).strip() + tip


def _due_ones(data: Json) -> list[Json] | str:
    """What runs an old image of its tag; another tag is only taken when it is asked for."""
    due = [f"{i['host']}/{name}" for i in data["images"] if i["verdict"] == "new image" for name in i["containers"]]
    return [{"container": each} for each in due] or "Nothing has a new image of its tag, so there is nothing to update."


def _all(found: list[Json]) -> str:
    return "The one image is" if len(found) == 1 else f"All {len(found)} images are"


def _several(i: Json) -> str:
    return f"{', '.join(f'**{name}**' for name in i['containers'])} on {i['host']}"


def _due(i: Json) -> str:
    later = f", and there is {i['newer'][0]}" if i["newer"] and i["kind"] == "pinned" else ""
    if i["verdict"] == "newer tag":
        return f"`{i['image']}` stays as it is{later}"
    return f"a new image of `{i['image']}`{' (here already)' if i.get('pulled') else ''}{later}"


HOST = "{host:place}"
UNUSED = {"_unused": ("unused", "dangling", "old", "ungenutzte", "sin uso")}
NOT_RECREATED = "A pull only fetches the image: the container keeps running the old one until it is recreated."
LAB = ("homelab", "lab", "server", "servers", "rack", "stuff", "nas", "containers", "services", "we doing", "it going")
PARTS = (
    "image",
    "version",
    "ports",
    "port",
    "config",
    "configuration",
    "env",
    "environment",
    "mounts",
    "restart policy",
)
HOW = ("running", "up", "down", "alive", "healthy", "ok", "fine", "stopped", "restarting", "stop", "start", "online",
       "offline", "restarted", "started")  # fmt: skip
intents = (
    Intent("docker_list_containers", ("how is everything", "how are things", "how {_lab}", "how {_lab} doing",
           "what {_bad}", "anything {_bad}", "anything wrong", "which {_bad}", "who {_bad}", "status", "overview",
           "all good", "everything ok", "all fine", "what's going on", "what's up", "need attention", "wie geht",
           "was {_bad}", "not healthy", "alles in ordnung", "alles gut", "wie sieht aus", "cómo está todo", "todo bien",
           "qué está {_bad}"), _overview, maybe=HOST, words={"_bad": TROUBLE, "_lab": LAB}),
    Intent("docker_list_containers", ("list containers", "show containers", "which containers {_which}",
           "{_which} containers", "containers", "how many containers", "what's {_which}", "what do we run",
           "zeige container", "welche container", "lista contenedores", "qué contenedores"), _catalogue,
           maybe=f"{HOST} {{_which}}", words={"_which": ("running", "laufen", *STOPPED)}),
    Intent("docker_get_container_details", ("is {container} up", "how is {container}", "how about {container}",
           "what about {container}", "is {container} {_how}", "status of {container}",
           "{container} status", "since when {container} {_how}", "how long {container} {_how}",
           "when did {container} {_how}",
           "when was {container} {_how}",
           "wie geht's {container}", "läuft {container}", "cómo está {container}", "funciona {container}"), _state,
           words={"_how": HOW}),
    Intent("docker_get_container_details", ("details {container}", "inspect {container}", "describe {container}",
           "tell me about {container}", "more about {container}", "{_part} {container}", "{_asks} {_part} {container}",
           "{_asks} {_part} {container} {_do}", "zeige details {container}", "detalles {container}"), _details,
           words={"_part": PARTS, "_asks": ("what", "which", "welche"),
                  "_do": ("run", "use", "have", "listen", "expose", "mount")}),
    Intent("docker_get_container_logs", ("{container} logs", "{container} log", "tail {container}",
           "what does {container} say", "{contains} {container}", "show {lines:count} {container}",
           "protokoll {container}", "registros {container}"),
           _logs, maybe="{since_minutes:minutes} {lines:count} {contains}",
           words={"contains": ("error", "warn", "fatal")}),
    Intent("docker_get_container_stats", ("{container} stats", "{container} {_by}", "{container} usage",
           "{container} load", "how much {_by} {container} use", "how busy {container}", "wie viel {_by} {container}",
           "cuánta {_by} {container}"), _stats, words={"_by": MEASURES}),
    Intent("docker_get_container_stats", ("who uses most {_by}", "what uses {_by}", "who uses {_by}", "top {_by}",
           "biggest {_by}", "which container uses most {_by}", "who is eating {_by}", "what is eating {_by}",
           "wer braucht meisten {_by}", "quién usa más {_by}"), _busiest, look="docker_list_containers", pick=_running,
           words={"_by": MEASURES}),
    Intent("docker_get_system_info", ("disk space", "disk usage", "how much space", "storage", "what reclaim",
           "free disk",
           "how much disk", "platz frei", "espacio libre",
           "disk full", "speicherplatz", "espacio disco"), _disks, maybe=HOST),
    Intent("docker_get_system_info", ("which hosts", "list hosts", "docker version", "which engines", "welche hosts",
           "qué hosts"), _engines, maybe=HOST),
    Intent("docker_list_images", ("list images", "{_unused} images", "which images", "welche images", "lista imágenes"),
           _images, maybe=f"{HOST} {{_unused}}", words=UNUSED),
    Intent("docker_list_volumes", ("list volumes", "{_unused} volumes", "which volumes", "welche volumes",
           "lista volúmenes"), _volumes, maybe=f"{HOST} {{_unused}}", words=UNUSED),
    Intent("docker_list_networks", ("list networks", "show networks", "networks", "welche netzwerke", "lista redes"),
           _networks, maybe=HOST),
    Intent("docker_restart_container", ("restart {container}", "reboot {container}", "bounce {container}",
           "power cycle {container}", "give {container} a restart", "{container} needs restart",
           "re-start {container}", "starte {container} neu", "start {container} neu", "{container} neu starten",
           "{container} neustarten", "reinicia {container}", "reiniciar {container}")),
    Intent("docker_restart_container", ("restart {_which}", "starte {_which} neu", "reinicia {_which}"),
           words={"_which": BROKEN}, look="docker_list_containers", pick=_chosen),
    Intent("docker_start_container", ("start {container}", "start up {container}", "boot {container}",
           "bring up {container}", "turn on {container}", "switch on {container}", "fire up {container}",
           "launch {container}", "spin up {container}", "starte {container}", "{container} starten",
           "schalte {container} ein", "inicia {container}", "arranca {container}", "enciende {container}")),
    Intent("docker_start_container", ("start {_which}", "starte {_which}", "inicia {_which}"),
           words={"_which": STOPPED}, look="docker_list_containers", pick=_chosen),
    Intent("docker_stop_container", ("stop {container}", "halt {container}", "shut down {container}",
           "shutdown {container}", "turn off {container}", "switch off {container}", "bring down {container}",
           "take down {container}", "kill {container}", "stoppe {container}", "{container} stoppen",
           "beende {container}", "halte {container} an", "fahre {container} herunter", "schalte {container} aus",
           "para {container}", "detén {container}", "apaga {container}")),
    Intent("docker_remove_container", ("remove {container}", "delete {container}", "rm {container}",
           "destroy {container}", "get rid of {container}", "lösche {container}", "entferne {container}",
           "elimina {container}", "borra {container}")),
    Intent("docker_remove_image", ("remove {image:tagged}", "delete {image:tagged}", "lösche {image:tagged}",
           "elimina {image:tagged}")),
    Intent("docker_update_container", ("update {container}", "upgrade {container}", "aktualisiere {container}",
           "actualiza {container}")),
    Intent("docker_update_container", ("update everything", "update all containers", "aktualisiere alles",
           "actualiza todo"), look="docker_check_image_updates", pick=_due_ones),
    Intent("docker_roll_back_update", ("roll back {container}", "roll back update {container}",
           "take back update {container}", "rollback {container}")),
    Intent("docker_pull_image", ("pull {container}",), look="docker_get_container_details", pick=_image,
           note=NOT_RECREATED),
    Intent("docker_pull_image", ("pull {image:tagged}", "update {image:tagged}"), note=NOT_RECREATED),
    Intent("docker_prune_system", ("clean up", "prune", "tidy up", "free space", "free some space", "make room",
           "remove unused", "delete unused", "clean {_kind}", "lösche ungenutzte", "lösche ungenutzten",
           "borra sin uso", "räume auf", "räum auf", "aufräumen", "limpia"),
           look="docker_get_system_info", pick=_clean, maybe="{_host:place} {_kind}", words={"_kind": tuple(RUBBISH)}),
    Intent("docker_check_image_updates", ("do I have updates", "any updates", "are there updates", "check updates",
           "what is outdated", "which containers updates", "what updates", "gibt es updates", "hay actualizaciones"),
           _updates, maybe=HOST),
    Intent("docker_check_image_updates", ("is there update {container}", "update available {container}",
           "newer version {container}", "any updates {container}", "is {container} up to date",
           "is {container} outdated", "gibt es update {container}", "hay actualización {container}"), _updates),
)  # fmt: skip
