"""Orchestrators that own containers: they, and not whoever starts or stops one, decide what runs. Compose does not."""

from dataclasses import dataclass

from tools.kit.types import trusted_name


@dataclass(frozen=True)
class Owner:
    """An orchestrator, known by the labels that it puts on its containers."""

    name: str
    labels: str
    """How they begin."""
    called: tuple[str, ...]
    """Labels that name what the container is to it, the best first."""
    then: str = "it starts a replacement at once"
    """What it does about one that is gone or stopped."""


OWNERS = (
    Owner("swarm", "com.docker.swarm.", ("com.docker.swarm.service.name", "com.docker.swarm.task.name")),
    Owner("Kubernetes", "io.kubernetes.", ("io.kubernetes.pod.name", "io.kubernetes.container.name")),
    Owner("Nomad", "com.hashicorp.nomad.", ("com.hashicorp.nomad.job_name", "com.hashicorp.nomad.task_name")),
    Owner("systemd", "PODMAN_SYSTEMD_UNIT", ("PODMAN_SYSTEMD_UNIT",), "it may start it again, or remove it"),
)


def owner_of(labels: dict[str, str]) -> str | None:
    """Who owns a container with these labels, and as what: `swarm/web`; None when nobody does."""
    for owner in OWNERS:
        if any(label.startswith(owner.labels) for label in labels):
            names = (labels.get(label, "") for label in owner.called)
            called = next((name for name in names if name and trusted_name(name)), "")
            return f"{owner.name}/{called}" if called else owner.name
    return None


def ending_owned(owner: str, *, alive: bool) -> str:
    """A line for the card of what ends an owned container, for good or for a moment."""
    if not alive:
        return f"{_belongs(owner)}, which decides what runs."
    return f"{_belongs(owner)}: {_known(owner).then}. Better change it there."


def starting_owned(owner: str) -> str:
    """A line for the card of a start."""
    return f"{_belongs(owner)}, which decides what runs: this may be one too many."


def no_undo(owner: str) -> str:
    """Why a change of an owned container is not taken back."""
    return f"No undo: {_known(owner).name} decides what runs, and there could be two."


def _belongs(owner: str) -> str:
    name, _, called = owner.partition("/")
    return f"Belongs to {name} ({called})" if called else f"Belongs to {name}"


def _known(owner: str) -> Owner:
    return next(each for each in OWNERS if each.name == owner.partition("/")[0])
