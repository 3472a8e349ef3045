"""Who comes before whom."""

from __future__ import annotations

import random

import pytest

from tinymagic.local.deployments.order import Cycle, ordered


def test_the_given_order_stays_where_it_can() -> None:
    """Names that need nothing keep their places; those that are needed move before."""
    assert ordered(["b", "a", "c"], {}) == ["b", "a", "c"]
    assert ordered(["b", "a", "c"], {"b": ["c"]}) == ["c", "b", "a"]
    assert ordered(["a"], {"a": ["unknown"]}) == ["a"]


def test_circles_are_named() -> None:
    """Also a name that needs itself."""
    with pytest.raises(Cycle) as caught:
        ordered(["a", "b", "c", "d"], {"a": ["b"], "b": ["c"], "c": ["b"]})
    assert caught.value.names == ["b", "c"]
    assert str(caught.value) == "b -> c -> b"
    with pytest.raises(Cycle):
        ordered(["a"], {"a": ["a"]})


def test_a_long_chain() -> None:
    """No recursion."""
    names = [str(number) for number in range(20_000)]
    chain = {name: [str(int(name) + 1)] for name in names}
    assert ordered(names, chain) == [*reversed(names)]


def test_random_graphs() -> None:
    """Everybody comes after what they need."""
    chance = random.Random(1)
    for _ in range(100):
        names = [str(number) for number in range(30)]
        needs = {name: chance.sample(names[: int(name)], min(int(name), chance.randrange(4))) for name in names}
        chance.shuffle(names)
        found = ordered(names, needs)
        assert sorted(found) == sorted(names)
        assert all(found.index(each) < found.index(name) for name in names for each in needs[name])
