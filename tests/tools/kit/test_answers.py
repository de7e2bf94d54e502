"""From JSON to typed results: fields wherever they stand, and the place named when they do not fit."""

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.kit import Ident, Result, at
from tools.kit.answers import fitted


class Upstream(Result):
    """One server that is asked."""

    name: Ident
    share: Annotated[float, at("statistics", "share")]


class Summary(Result):
    """What a service tells."""

    queries: Annotated[int, at("queries", "total")]
    blocked: Annotated[int | None, at("queries", "blocked")] = None
    first: Annotated[Ident | None, at("upstreams", 0, "name")] = None
    upstreams: list[Upstream] = []
    by_kind: dict[str, Upstream] = {}


WHOLE = {
    "queries": {"total": 12, "blocked": 3, "else": None},
    "upstreams": [{"name": "one", "statistics": {"share": 0.5}, "more": 1}],
    "by_kind": {"A": {"name": "two", "statistics": {"share": 1}}},
}


def test_each_field_is_found_where_it_stands_and_the_rest_is_left() -> None:
    found = fitted(Summary, WHOLE)
    assert (found.queries, found.blocked, found.first) == (12, 3, "one")
    assert found.upstreams == [Upstream(name="one", share=0.5)] and found.by_kind["A"].share == 1.0


def test_part_of_an_answer_is_enough() -> None:
    assert fitted(list[Upstream], WHOLE, ("upstreams",))[0].name == "one"
    assert fitted(int, WHOLE, ("queries", "total")) == 12


def test_what_has_a_default_may_be_missing() -> None:
    assert fitted(Summary, {"queries": {"total": 0}}) == Summary(queries=0)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "queries.total"),
        ({"queries": 7}, "queries.total"),
        ({"queries": {"total": "many"}}, "queries.total"),
        ({"queries": {"total": None}}, "queries.total"),
        ({**WHOLE, "upstreams": [{"name": "one"}]}, "upstreams[0].statistics.share"),
        ({**WHOLE, "upstreams": {"name": "one"}}, "upstreams"),
        ({**WHOLE, "by_kind": {"A": {"name": 5, "statistics": {"share": 1}}}}, "by_kind.A.name"),
        ({**WHOLE, "by_kind": {"drop all; now": {"name": 5}}}, "by_kind.name"),
        ([], ""),
        ("queries", ""),
        (None, ""),
    ],
)
def test_what_does_not_fit_is_named_by_its_place_in_the_answer(body: Any, place: str) -> None:
    with pytest.raises(ValueError) as error:
        fitted(Summary, body)
    assert str(error.value) == place


def test_a_part_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"^rows$"):
        fitted(list[Upstream], {}, ("rows",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(WHOLE) + ["total", "name"]), inner)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(list(WHOLE)))
def test_nonsense_is_refused_and_never_crashes(part: Any, name: str) -> None:
    try:
        found = fitted(Summary, {**WHOLE, name: part})
    except ValueError:
        return
    assert isinstance(found, Summary)
