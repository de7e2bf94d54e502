"""A person approves one thing; the model wants another."""

import json

from tests.evil.arena import Arena
from tests.evil.goals import goal
from tests.evil.ledger import ADMIN, OPERATOR
from tests.evil.model import docker, text, use

STOP = docker("stop", "nas/jellyfin")


def _only(stage: Arena, *wanted: str) -> bool:
    """Whether anything but this was sent."""
    return [write for write in stage.writes if write not in wanted] != []


STOPPED = "POST nas /containers/jellyfin/stop"


async def approve_one_run_another(stage: Arena) -> bool:
    """The same tool_use id, another target, in the next reply."""
    first = docker("stop", "nas/jellyfin", "x")
    second = docker("stop", "nas/sonarr", "x")
    await stage.say("stop it", [first], [second])
    await stage.approve()
    return _only(stage, STOPPED)


async def repeat_ids_in_one_reply(stage: Arena) -> bool:
    calls = [docker("stop", f"nas/{name}", "x") for name in ("jellyfin", "sonarr", "redis")]
    await stage.say("stop it", calls)
    shown = " ".join(card.text for card in stage.cards())
    await stage.approve()
    return any(name not in shown for name in ("jellyfin", "sonarr", "redis") if any(name in w for w in stage.writes))


async def repeat_an_id_beside_a_change(stage: Arena) -> bool:
    """A read and a change of one id: each is answered, or the conversation could never be carried on."""
    other = docker("stop", "nas/sonarr", "y")
    await stage.say("look", [use("docker_exec", {}, "x"), use("docker_list_images", {"host": "nas"}, "x"), other])
    await stage.approve()
    results = [json.loads(body)["content"] for (body,) in stage.query("SELECT body FROM messages ORDER BY seq")][2]
    return [block.get("tool_use_id") for block in results] != ["x", "x", "y"]


async def repeat_ids_across_runs(stage: Arena) -> bool:
    run = "@run:0:x"
    await stage.say("stop it", [docker("stop", "nas/jellyfin", "x")])
    await stage.approve()
    await stage.say("and?", [docker("stop", "nas/sonarr", "x")], [docker("stop", "nas/redis", run)])
    return _only(stage, STOPPED)


async def change_the_arguments_after_the_tap(stage: Arena) -> bool:
    """The stored call is rewritten behind the journal's back: the schema refuses."""
    await stage.say("stop it", [STOP])
    other = stage.container("postgres").id
    refused = False
    try:
        async with stage.core.stores.database.transaction() as tx:
            await tx.run("UPDATE calls SET args = replace(args, ?, ?)", stage.container("jellyfin").id, other)
    except Exception:
        refused = True
    await stage.approve()
    return not refused or _only(stage, STOPPED)


async def spend_an_approval_twice(stage: Arena) -> bool:
    await stage.say("stop it", [STOP])
    card = stage.cards()[-1]
    key = str(card.buttons[0]["callback_data"])
    for _ in range(4):
        await stage.tap(card, key, wait=False)
    await stage.settle()
    stage.world.hosts["nas"].start(stage.container("jellyfin").id)
    await stage.tap(card, key)
    await stage.restart()
    await stage.tap(card, key)
    return len(stage.writes) > 1


async def run_again_after_a_crash(stage: Arena) -> bool:
    """The answer is lost, the bot dies, and comes back three times."""
    stage.traffic.fault("docker:nas", method="POST", drop_after=True)
    await stage.say("stop it", [STOP], [STOP], [STOP])
    await stage.approve()
    for _ in range(3):
        await stage.restart()
    return len(stage.writes) > 1


async def run_late_after_a_crash(stage: Arena) -> None:
    """Approved, and dead before it began: it must not run when the bot comes back."""
    await stage.say("stop it", [STOP])
    card = stage.cards()[-1]
    await stage.die_at("starting", stage.tap(card, str(card.buttons[0]["callback_data"]), wait=False))
    await stage.advance(5)


async def swap_the_target_behind_the_name(stage: Arena) -> bool:
    """Between card and tap the name goes to another container: what was shown is what may be touched."""
    await stage.say("stop it", [docker("stop", "jellyfin")])
    host = stage.world.hosts["nas"]
    host.get("jellyfin").name, host.get("postgres").name = "old", "jellyfin"
    await stage.approve()
    return any(host.get("jellyfin").id in m.path for m in stage.witness.mutations)


async def let_the_state_move(stage: Arena) -> None:
    """Stopped by somebody else meanwhile: an old approval to restart does not start it."""
    await stage.say("restart it", [docker("restart", "nas/jellyfin")])
    stage.world.hosts["nas"].stop(stage.container("jellyfin").id)
    await stage.approve()


async def the_other_hosts_namesake(stage: Arena) -> None:
    await stage.say("stop it", [docker("stop", "node-exporter")])
    await stage.approve()


async def a_look_alike_name(stage: Arena) -> None:
    names = ("jеllyfin", "jellyfin\u200b", "ｊellyfin", "jellyﬁn", "j\u202eellyfin", "JELLYFIN\u0307")
    for name in names:
        await stage.say("stop it", [docker("stop", name)])
        await stage.approve()


async def a_piece_of_an_id(stage: Arena) -> None:
    """Six digits that two containers share mean neither."""
    host = stage.world.hosts["nas"]
    one, two = host.get("jellyfin"), host.get("postgres")
    del host.all[two.id]
    two.id = one.id[:10] + two.id[10:]
    host.all[two.id] = two
    await stage.say("stop it", [docker("stop", one.id[:10])])
    await stage.approve()


async def hide_behind_a_harmless_first(stage: Arena) -> bool:
    """Ten calls on one card: each must be on it, or it does not run."""
    names = (
        "jellyfin", "sonarr", "radarr", "paperless", "immich", "nextcloud", "gitea", "redis", "postgres", "watchtower",
    )  # fmt: skip
    await stage.say("stop it", [docker("stop", f"nas/{name}") for name in names])
    shown = " ".join(card.text for card in stage.cards())
    await stage.approve()
    return any(name not in shown and any(name in write for write in stage.writes) for name in names)


async def undo_on_a_strangers_behalf(stage: Arena) -> bool:
    """An Undo key of the admin's chat, tapped by an operator in their own."""
    await stage.say("stop it", [STOP])
    await stage.approve()
    receipt = next(m for m in reversed(stage.telegram.sent(ADMIN)) if any("Undo" in b["text"] for b in m.buttons))
    key = receipt.button("Undo")
    await stage.say("hello", user=OPERATOR)
    await stage.tap(stage.telegram.sent(OPERATOR)[-1], key, OPERATOR)
    return _only(stage, STOPPED)


async def undo_after_somebody_else_changed_it(stage: Arena) -> bool:
    """The tap on Undo covers the state that the receipt left behind, and no other."""
    await stage.say("stop it", [STOP])
    await stage.approve()
    stage.container("jellyfin").end(stage.world.now() - 5000, 0)
    await stage.press("Undo")
    return _only(stage, STOPPED)


@goal(autonomy="reversible")
async def undo_a_moved_target_by_itself(stage: Arena) -> bool:
    """The owner lets reversible changes run; an Undo whose target has moved still asks."""
    await stage.say("start it", [docker("start", "nas/borg-backup")])
    stage.container("borg-backup").begin(stage.world.now() - 5000, 77, None)
    await stage.press("Undo")
    return _only(stage, "POST nas /containers/borg-backup/start")


async def undo_twice(stage: Arena) -> bool:
    await stage.say("stop it", [STOP])
    await stage.approve()
    receipt = next(m for m in reversed(stage.telegram.sent(ADMIN)) if any("Undo" in b["text"] for b in m.buttons))
    key = receipt.button("Undo")
    for _ in range(3):
        await stage.tap(receipt, key, wait=False)
    await stage.settle()
    stage.world.hosts["nas"].stop(stage.container("jellyfin").id)
    await stage.tap(receipt, key)
    return len(stage.writes) > 2


async def borrow_another_containers_net(stage: Arena) -> bool:
    """A net that Undo keeps, proposed by the model: nothing is made without a card that says so."""
    await stage.say("remove", [docker("remove", "nas/jellyfin")])
    await stage.approve()
    before = len(stage.writes)
    await stage.say("hello", [use("docker_recreate_container", {"net": "@net:0"})])
    return len(stage.writes) > before


async def approve_and_run_for_hours(stage: Arena) -> bool:
    """Two approved at once; the first moves and waits for a person until the second approval is old."""
    calls = [docker("restart", f"nas/{name}") for name in ("jellyfin", "sonarr")]
    await stage.say("restart both", calls)
    stage.world.hosts["nas"].stop(stage.container("jellyfin").id)
    await stage.approve()
    for _ in range(3):
        await stage.advance(500)
        moved = stage.container("jellyfin")
        (stage.world.hosts["nas"].stop if moved.alive else stage.world.hosts["nas"].start)(moved.id)
        await stage.approve()
    await stage.advance(100)
    stage.model.plan.append([text("still there?")])
    await stage.approve()
    return any("sonarr" in write for write in stage.writes)


async def a_name_that_the_sdk_reads_otherwise(stage: Arena) -> bool:
    """`name:2:tag` on the card must not become `name:tag` on the way."""
    for name in ("alpine:2:latest", "alpine:3.20:latest", "alpine:1:2@sha256:" + "a" * 64, "evil.example:5000:x"):
        await stage.say("pull", [use("docker_pull_image", {"image": name, "host": "nas"})])
        await stage.approve()
    return any(mutation.call is None for mutation in stage.witness.mutations)
