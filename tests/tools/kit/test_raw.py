"""Raw values: what is absurd is absent."""

from tools.kit.raw import moment, number


def test_numbers_and_times() -> None:
    assert [number(value) for value in (1, 0, -1, True, None, "3", float("nan"), float("inf"), 2**63)] == [
        1.0, 0.0, None, None, None, None, None, None, None
    ]  # fmt: skip
    assert moment("0001-01-01T00:00:00Z") is None and moment(-1) is None and moment("soon") is None
    assert moment("2026-11-20T08:12:00.123456789Z") == moment("2026-11-20T09:12:00.123456789+01:00")
    assert moment(10**18) is None
