"""What a service costs in lines decides whether the whole can still be read: budgets, and who is over them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools.kit.registry import discover
from tools.kit.service import Service

ROOT = Path(__file__).parents[1]
A_TOOL, AT_LEAST, A_TOOL_BESIDE = 45, 300, 15
"""Non-blank lines of product a tool; of its twin and of its tests each, in all or a tool, whichever is more."""
CEILINGS = {"docker": {"product": 4192, "tests": 3500, "twin": 2580}, "proxmox": {"twin": 600}}
"""What came before the budgets; these may only fall. Both twins are whole homelabs, with what people say to them."""
CEILINGS_FOR = {"docker": 16}
"""How many tools they were for: each that has come since has the ordinary budget on top."""
COUNTS_AS = {"docker_update_container": 10}
"""A tool that is several in one: this pulls, makes anew, moves names, watches, rolls back, and finishes what was cut
off."""


@dataclass(frozen=True)
class Cost:
    """A service's lines, and what it may take."""

    product: int
    tests: int
    twin: int


def lines(paths: Iterable[Path]) -> int:
    return sum(1 for path in paths for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def files(folder: str, name: str) -> list[Path]:
    """`x.py`, or every module of the package `x`."""
    found = [ROOT / folder / f"{name}.py", *sorted((ROOT / folder / name).rglob("*.py"))]
    return [path for path in found if path.exists()]


def cost(name: str) -> Cost:
    tests = sorted((ROOT / "tests/tools").glob(f"test_{name}*.py"))
    return Cost(lines(files("tools", name)), lines(tests), lines(files("lab/services", name)))


def allowed(service: Service[Any]) -> Cost:
    tools, ceiling = len(service.tools), CEILINGS.get(service.name, {})
    beside = max(AT_LEAST, A_TOOL_BESIDE * tools)
    come = sum(COUNTS_AS.get(tool.name, 1) for tool in service.tools) - CEILINGS_FOR.get(service.name, 10**3)
    more = {"product": A_TOOL, "tests": A_TOOL_BESIDE, "twin": A_TOOL_BESIDE}
    ceiling = {part: most + max(0, come) * more[part] for part, most in ceiling.items()}
    return Cost(**{"product": A_TOOL * tools, "tests": beside, "twin": beside, **ceiling})


@pytest.mark.parametrize("service", discover(), ids=lambda service: service.name)
def test_a_service_keeps_to_its_budget(service: Service[Any], record_property: Any) -> None:
    spent, may = cost(service.name), allowed(service)
    tools = len(service.tools)
    print(f"{service.name}: {tools} tools, product {spent.product} ({spent.product / tools:.0f} a tool)")
    over = {name: (vars(spent)[name], most) for name, most in vars(may).items() if vars(spent)[name] > most}
    assert not over, f"{service.name} is over its budget (lines, most): {over}"


def test_ceilings_are_only_for_what_needs_them() -> None:
    """A ceiling far above what is spent is lowered: it may only fall."""
    for service in discover():
        spent, may = vars(cost(service.name)), vars(allowed(service))
        loose = [part for part in CEILINGS.get(service.name, {}) if may[part] - spent[part] >= 100]
        assert not loose, f"lower the ceiling of {service.name}: {spent}"
