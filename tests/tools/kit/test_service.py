"""A tool is what its function says: name, schema, bounds and risk come from the signature alone."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import ValidationError

from tests.rack import RackSettings, connect
from tools.kit import Area, Call, Context, Field, Resolve, Result, Risk, Service, Target


async def find(client: Any, text: str) -> list[Target]:
    return []


Name = Annotated[str, Field(max_length=9, description="Its name."), Resolve(find)]


@pytest.fixture
def service() -> Service[Any]:
    made: Service[Any] = Service("thing", area=Area.NETWORK, settings=RackSettings, connect=connect)

    @made.tool(Risk.CHANGE, undo="turn it back", escalate=lambda args: Risk.DESTROY if args.hard else Risk.READ)
    async def turn(
        ctx: Context[Any],
        name: Name,
        mode: Literal["left", "right"] = "left",
        times: Annotated[int, Field(ge=1, le=3)] = 1,
        beside: Name | None = None,
        hard: bool = False,
    ) -> Result:
        """Turn a thing.

        More about turning.
        """
        return Result()

    return made


def test_the_schema_is_the_signature(service: Service[Any]) -> None:
    [tool] = service.tools
    assert (tool.name, tool.summary) == ("thing_turn", "Turn a thing.")
    assert tool.description.endswith("More about turning.")
    schema = tool.input_schema
    assert schema["required"] == ["name"] and schema["additionalProperties"] is False
    assert set(schema["properties"]) == {"name", "mode", "times", "beside", "hard"} and "title" not in schema
    assert schema["properties"]["times"] == {"default": 1, "maximum": 3, "minimum": 1, "type": "integer"}
    assert schema["properties"]["mode"]["enum"] == ["left", "right"]


def test_targets_are_found_also_behind_an_optional_type(service: Service[Any]) -> None:
    assert set(service.tools[0].resolved) == {"name", "beside"}


@pytest.mark.parametrize(
    "args",
    [
        {}, {"name": "x", "other": 1}, {"name": 1}, {"name": "x" * 10}, {"name": "x", "times": 4},
        {"name": "x", "times": "1"}, {"name": "x", "times": True}, {"name": "x", "times": 1.0},
        {"name": "x", "mode": "up"}, {"name": "x", "hard": "yes"}, {"name": None},
    ],
)  # fmt: skip
def test_arguments_are_taken_strictly(service: Service[Any], args: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        service.tools[0].parameters.model_validate(args)


def test_arguments_raise_the_risk_and_never_lower_it(service: Service[Any]) -> None:
    [tool] = service.tools
    risks = [tool.risk_of(tool.parameters.model_validate({"name": "x", "hard": hard})) for hard in (False, True)]
    assert risks == [Risk.CHANGE, Risk.DESTROY]


def test_a_call_is_the_full_name_and_the_arguments(service: Service[Any]) -> None:
    assert service.tools[0].call(name="x") == Call("thing_turn", {"name": "x"})
