"""Orders: restart, start, stop, remove, update and clean up. Each becomes a proposal; its outcome is reported."""

import random
import re

from lab.claude.brain.followup import referents
from lab.claude.brain.inventory import by_name
from lab.claude.brain.listing import containers, fetch, key, troubled
from lab.claude.brain.outcomes import refusal, report
from lab.claude.brain.talk import Result, Stuck, Talk, Wanted
from lab.claude.brain.words import BARE_STOP, NEGATED, POLITE, Order, host_in, orders, target
from lab.claude.reply import Json

TOOLS = {
    "restart": "docker_restart_container",
    "start": "docker_start_container",
    "stop": "docker_stop_container",
    "remove": "docker_remove_container",
}
CLEAN = re.compile(
    rf"^{POLITE}(?:prune|clean(?: up| out)?|tidy(?: up)?|free(?: up)?|reclaim|make (?:some )?(?:space|room)|"
    r"(?:remove|delete|get rid of) (?:all )?(?:the |my )?(?:unused|dangling|old|leftover)\b)",
    re.I,
)
GROUP = re.compile(
    r"\b(?:(?P<all>everything|all|every container|all containers|the lot)|"
    r"(?P<bad>unhealthy|troubled|broken|failing|crashing|bad|sick|restarting|down)|(?P<resting>stopped|exited))\b"
    r"(?:.*\b(?P<narrow>unhealthy|troubled|broken|failing|crashing|stopped|exited|down)\b)?",
    re.I,
)
IMAGE = re.compile(r"^[\w.-]+(?:[.:]\d+)?(?:/[\w.-]+)*:[\w.-]+$")
NEWER = re.compile(
    r"(?:\b(?:is|are) there\b.*\b(?:updates?|newer|new version)\b|\b(?:is|are)\b(?=.*\b(?:up to date|outdated)\b))"
    r"(?:\s+(?:image|version))?(?:\s+(?:for|of))?\s*(?P<rest>.*?)(?:\s*(?:still )?(?:up to date|outdated))?\W*$",
    re.I,
)
NEAREST = re.compile(r"nearest:?\s+`?([\w.-]+)", re.I)
WORTH_GB = 0.05
VOLUMES = "unused_volumes"
KINDS = {
    "dangling_images": re.compile(r"\b(?:dangling|untagged)\b", re.I),
    "unused_images": re.compile(r"(?<!dangling )(?<!untagged )\bimages?\b", re.I),
    "build_cache": re.compile(r"\bcache\b", re.I),
    "stopped_containers": re.compile(r"\bcontainers?\b", re.I),
    "unused_networks": re.compile(r"\bnetworks?\b", re.I),
    VOLUMES: re.compile(r"\bvolumes?\b", re.I),
}
"""What a clean-up may be asked to remove, by the words for it."""


def change(talk: Talk, rng: random.Random) -> str | None:
    """The outcome of the changes a line orders; None when it orders none."""
    if NEGATED.match(talk.said) and not orders(talk.said):
        return "Understood: I leave it alone. Nothing was changed."
    if BARE_STOP.match(talk.said):
        return "I am not doing anything now. To stop a container, name it: “stop jellyfin”."
    if CLEAN.match(talk.said):
        return _clean(talk)
    if match := NEWER.search(talk.said):
        name = target(match["rest"]) or "jellyfin"
        return f"I can't see that from here. Say “update {name}” and I propose a pull of the newest image."
    wanted = [order for order in orders(talk.said) if not _about_something_else(order)]
    if not wanted:
        return None
    targets = [(order.verb, name) for order in wanted for name in _targets(talk, order)]
    if len(targets) == 0:
        raise Stuck("None of the containers is in that state, so there is nothing to do.")
    updates = dict.fromkeys(name for verb, name in targets if verb == "update")
    pulls = _pulls(talk, list(updates))
    calls = [
        (f"{verb.capitalize()} {name}", pulls[name] if verb == "update" else _call(verb, name))
        for verb, name in dict.fromkeys(targets)
    ]
    results = _settled(talk, [call for _, call in calls])
    text = report(list(zip([title for title, _ in calls], results, strict=True)))
    pulled = any(
        r.data.get("outcome") in ("done", "already") for (_, c), r in zip(calls, results, strict=True) if c[0] == PULL
    )
    return text + (NOT_RECREATED if pulled else "")


PULL = "docker_pull_image"
NOT_RECREATED = " A pull only fetches the image: the container keeps running the old one until it is recreated."


def _call(verb: str, name: str) -> Wanted:
    if verb == "remove" and IMAGE.match(name):
        return "docker_remove_image", {"image": name}
    return TOOLS[verb], {"container": name}


def _about_something_else(order: Order) -> bool:
    """Orders about things other than containers, such as "delete that note" or "stop it, please tell me"."""
    return bool(re.search(r"\b(?:memory|memories|note|notes|reminder|schedule|what you know)\b", order.rest, re.I))


def _targets(talk: Talk, order: Order) -> tuple[str, ...]:
    group = GROUP.search(order.rest)
    if group and (not order.targets or re.search(r"\b(?:everything|all|ones?|containers)\b", order.rest, re.I)):
        return _group(talk, order, group)
    if order.targets:
        return order.targets
    names = referents(talk)
    if len(names) == 1:
        return (names[0],)
    if names:
        raise Stuck(f"Which one do you mean: {' or '.join(f'`{name}`' for name in names)}?")
    raise Stuck(f"{order.verb.capitalize()} what? Tell me the container's name, for example “{order.verb} jellyfin”.")


def _group(talk: Talk, order: Order, group: re.Match[str]) -> tuple[str, ...]:
    """Containers in a state, from the listing; plain "everything" is too much to propose at once."""
    narrow = (group["narrow"] or "").lower()
    if group["all"] and not narrow:
        raise Stuck(f"That is a lot to {order.verb} at once, so I ask for names. Tell me which containers you mean.")
    listing = fetch(talk, host_in(talk.said))
    if listing.failed:
        raise Stuck(listing.text)
    if group["resting"] or narrow in ("stopped", "exited") or (order.verb == "start" and narrow == "down"):
        return tuple(key(c) for c in containers(listing) if c.get("state") == "exited")
    return tuple(key(c) for c in troubled(listing))


def _pulls(talk: Talk, names: list[str]) -> dict[str, Wanted]:
    """The pull that updates each container; an image named outright is pulled as it is."""
    looked = [name for name in names if not IMAGE.match(name)]
    details = (
        _settled(talk, [("docker_get_container_details", {"container": name}) for name in looked]) if looked else []
    )
    pulls: dict[str, Wanted] = {name: (PULL, {"image": name}) for name in names}
    for name, result in zip(looked, details, strict=True):
        if result.failed or "image" not in result.data:
            raise Stuck(refusal(result.text))
        pulls[name] = (PULL, _image_of(result.data))
    return pulls


def _image_of(details: Json) -> Json:
    return {"image": details["image"], **({"host": details["host"]} if "host" in details else {})}


def _settled(talk: Talk, wanted: list[Wanted]) -> list[Result]:
    """The results; a name that differs from the nearest one in spelling only is tried again as that."""
    results = talk.need_all(wanted)
    again: dict[int, Wanted] = {}
    for index, ((tool, arguments), result) in enumerate(zip(wanted, results, strict=True)):
        close = NEAREST.search(result.text) if result.failed else None
        name = str(arguments.get("container", ""))
        if close and _same(close[1], name) and not talk.last:
            again[index] = (tool, {**arguments, "container": close[1].rstrip(".")})
    if not again:
        return results
    repeated = dict(zip(again, talk.need_all(list(again.values())), strict=True))
    return [repeated.get(index, result) for index, result in enumerate(results)]


def _same(one: str, other: str) -> bool:
    def bare(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower())

    return bare(one) == bare(other) and one.rstrip(".") != other


def _clean(talk: Talk) -> str:
    kinds = [kind for kind, words in KINDS.items() if words.search(talk.said)]
    arguments: Json = {"kinds": [kind for kind in kinds if kind != VOLUMES]} if kinds else {}
    arguments |= {"volumes": True} if VOLUMES in kinds else {}
    if host := host_in(talk.said):
        hosts = [host]
    else:
        info = talk.need("docker_get_system_info")
        if info.failed:
            raise Stuck(info.text)
        known = info.data.get("hosts") or []
        hosts = [h["host"] for h in known if _is_worth_it(h, kinds)]
        if not hosts:
            more = "".join(f"\n- {line}" for h in known if not kinds for line in by_name(h))
            nothing = "There is next to nothing to reclaim, so I propose no clean-up."
            return f"{nothing} What I remove only when you name it:\n{more}" if more else nothing
    wanted: list[Wanted] = [("docker_prune_system", {"host": name, **arguments}) for name in hosts]
    results = talk.need_all(wanted)
    return report([(f"Clean up {name}", result) for name, result in zip(hosts, results, strict=True)])


def _is_worth_it(host: Json, kinds: list[str]) -> bool:
    """Whether a clean-up would find something there: enough of it by itself, anything of what was named."""
    if kinds:
        return any(each["count"] != 0 for each in host.get("unused") or [] if each["kind"] in kinds)
    gain = host.get("reclaimable_gb")
    return gain is None or bool(gain >= WORTH_GB)
