"""What images take: what is promised is never more than what goes, and exact wherever it can be known."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as some

from tools.docker.layers import Amount, Layers, freed

MB = 10.0**6
STEPS = some.lists(some.sampled_from([0.0, 0.0, 3 * MB, 5 * MB, 8 * MB]), min_size=1, max_size=7)


@given(STEPS, some.data())
def test_what_stays_below_is_bounded_by_every_way_it_can_be(steps: list[float], data: some.DataObject) -> None:
    """A step without bytes made an empty layer or none: all ways are tried, and the bound is the best of them."""
    full, idle = [size for size in steps if size], [at for at, size in enumerate(steps) if not size]
    empty = data.draw(some.integers(0, len(idle)))
    count = len(full) + empty
    image = Layers(tuple(map(str, range(count))), sum(full), steps=tuple(steps))
    for depth in range(1, count):
        ways = []
        for chosen in combinations(idle, empty):
            layers = [size for at, size in enumerate(steps) if size or at in chosen]
            ways.append(sum(layers[depth:]))
        found = image.above(depth)
        assert found == Amount(min(ways), exact=min(ways) == max(ways)), (steps, empty, depth)


def test_the_last_image_of_a_layer_takes_it_along() -> None:
    base, mine, other = "base", "mine", "other"
    one = Layers((base, mine, "1"), 70 * MB, steps=(50 * MB, 15 * MB, 5 * MB))
    two = Layers((base, mine, "2"), 69 * MB, steps=(50 * MB, 15 * MB, 4 * MB))
    kept = Layers((base, other), 60 * MB)
    assert freed([one, two], [kept]) == [Amount(20 * MB), Amount(4 * MB)]
    assert freed([one, two], []) == [Amount(70 * MB), Amount(4 * MB)]
    assert freed([one], [two, kept]) == [Amount(5 * MB)]


def test_what_cannot_be_read_is_not_promised() -> None:
    image = Layers(("a", "b"), 9 * MB, steps=(5 * MB, 4 * MB))
    unknown = Amount(exact=False)
    assert freed([image], [Layers()]) == [unknown], "that one may share anything"
    assert freed([Layers()], []) == [unknown]
    sharing = Layers(("a", "c"), 5 * MB)
    assert freed([Layers(("a", "b"), 9 * MB)], [sharing]) == [unknown], "no history"
    assert freed([Layers(("a", "b"), 30 * MB, steps=image.steps)], [sharing]) == [Amount(4 * MB, exact=False)], (
        "an engine that keeps compressed layers as well does not say whose they are"
    )


def test_what_went_is_what_the_engine_named() -> None:
    image = Layers(("a", "b", "c"), 12 * MB, steps=(5 * MB, 4 * MB, 3 * MB))
    assert image.gone({"sha256:id", "c"}) == Amount(3 * MB)
    assert image.gone({"a", "b", "c"}) == Amount(12 * MB) and image.gone(set()) == Amount()
