"""Groups of writes, room for requests, and the fields that no column takes."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tinymagic.local.events.event_fields import MOST_FIELDS, KnownFields
from tinymagic.local.events.group_commit import GroupCommit
from tinymagic.local.events.intake import Intake, NoRoom
from tinymagic.local.tables.schema import parse_schema

if TYPE_CHECKING:
    from concurrent.futures import Future

WAIT_S = 10


@dataclass(frozen=True)
class Item:
    number: int
    size_bytes: int = 1


class Gate:
    """Writes groups, and lets the test hold them."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Semaphore(0)
        self.groups: list[list[int]] = []

    def write(self, items: Any) -> list[Any]:
        self.begun.release()
        assert self.open.wait(WAIT_S)
        self.groups.append([item.number for item in items])
        if any(item.number < 0 for item in items):
            raise ValueError("the whole group fails")
        return [KeyError(item.number) if item.number % 10 == 7 else item.number for item in items]


@pytest.fixture
def gate() -> Gate:
    return Gate()


def commit(gate: Gate, **options: int) -> GroupCommit[Item, int]:
    return GroupCommit(gate.write, **{"workers": 2, "most_items": 100, "most_bytes": 1_000, **options})


class TestGroupCommit:
    def test_what_comes_meanwhile_is_one_group(self, gate: Gate) -> None:
        """The first is written alone and at once, the others together and in order; each gets its own answer."""
        groups = commit(gate)
        futures = [groups.submit("k", Item(0))]
        assert gate.begun.acquire(timeout=WAIT_S)
        futures += [groups.submit("k", Item(number)) for number in range(1, 10)]
        gate.open.set()
        for number, future in enumerate(futures):
            if number == 7:
                with pytest.raises(KeyError):
                    future.result(WAIT_S)
            else:
                assert future.result(WAIT_S) == number
        assert gate.groups == [[0], list(range(1, 10))]

    def test_keys_do_not_wait_for_each_other(self, gate: Gate) -> None:
        groups = commit(gate)
        futures = [groups.submit(key, Item(number)) for number, key in enumerate(("a", "b"))]
        assert gate.begun.acquire(timeout=WAIT_S)
        assert gate.begun.acquire(timeout=WAIT_S)
        gate.open.set()
        assert [future.result(WAIT_S) for future in futures] == [0, 1]

    @pytest.mark.parametrize("options", [{"most_items": 2}, {"most_bytes": 20}])
    def test_groups_are_bounded(self, gate: Gate, options: dict[str, int]) -> None:
        """By number and by size; what is too big alone goes alone."""
        groups = commit(gate, **options)
        first = groups.submit("k", Item(0, 10))
        assert gate.begun.acquire(timeout=WAIT_S)
        futures = [groups.submit("k", Item(number, 10)) for number in range(1, 5)]
        futures.append(groups.submit("k", Item(5, 500)))
        gate.open.set()
        for future in (first, *futures):
            future.result(WAIT_S)
        assert [number for group in gate.groups for number in group] == [0, 1, 2, 3, 4, 5]
        assert gate.groups[1:] == [[1, 2], [3, 4], [5]]

    def test_a_failure_belongs_to_all_of_the_group_and_to_no_other(self, gate: Gate) -> None:
        groups = commit(gate)
        gate.open.set()
        with pytest.raises(ValueError, match="whole group"):
            groups.submit("k", Item(-1)).result(WAIT_S)
        assert groups.submit("k", Item(1)).result(WAIT_S) == 1

    def test_who_went_away_is_not_written(self, gate: Gate) -> None:
        groups = commit(gate)
        futures: list[Future[int]] = [groups.submit("k", Item(0))]
        assert gate.begun.acquire(timeout=WAIT_S)
        futures += [groups.submit("k", Item(number)) for number in (1, 2, 3)]
        assert futures[2].cancel()
        gate.open.set()
        assert futures[3].result(WAIT_S) == 3
        assert gate.groups == [[0], [1, 3]]

    def test_many_threads(self, gate: Gate) -> None:
        """Every item is written once, whoever brings it."""
        groups = commit(gate, most_items=7)
        gate.open.set()
        results: list[int] = []

        def send(start: int) -> None:
            for number in range(start, start + 700, 10):
                results.append(groups.submit(start % 3, Item(number)).result(WAIT_S))

        threads = [threading.Thread(target=send, args=(start,)) for start in (0, 1, 2, 3, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        assert len(results) == 350
        assert sorted(number for group in gate.groups for number in group) == sorted(results)
        groups.close()


class TestIntake:
    def test_requests_are_bounded(self) -> None:
        intake = Intake(2, 100)
        with intake.share(0), intake.share(0), pytest.raises(NoRoom), intake.share(0):
            pass
        with intake.share(0):
            pass

    def test_bytes_are_bounded_and_given_back(self) -> None:
        intake = Intake(10, 100)
        with intake.share(60) as first:
            with pytest.raises(NoRoom), intake.share(50):
                pass
            with intake.share(30) as second:
                first.grow(10)  # Less than it has: nothing changes.
                second.grow(40)
                with pytest.raises(NoRoom):
                    second.grow(41)
        with intake.share(100):
            pass

    def test_the_only_one_may_be_bigger(self) -> None:
        intake = Intake(10, 100)
        with intake.share(1_000), pytest.raises(NoRoom), intake.share(1):
            pass


class TestKnownFields:
    def known(self, schema: str) -> KnownFields:
        return KnownFields(parse_schema(schema))

    @pytest.mark.parametrize(
        ("event", "unknown"),
        [
            ({}, False),
            ({"a": 1, "u": {"n": 1}, "t": [1, {"x": 2}]}, False),
            ({"a": {"b": 1}}, False),
            ({"u": 5}, False),
            ({"u": {"n": {"deep": 1}}}, False),
            ({"b": 1}, True),
            ({"u": {"m": 1}}, True),
            ({"u": {"o": {"p": 1, "q": 1}}}, True),
        ],
    )
    def test_unknown_fields(self, event: dict[str, Any], unknown: bool) -> None:
        known = self.known("a Int8, n Int8 `json:$.u.n`, p Int8 `json:$.u.o.p`, t Array(Int8) `json:$.t[:]`")
        assert known.has_unknown(event) is unknown

    def test_learning(self) -> None:
        """New fields are told once, with types that older events allow."""
        known = self.known("a Int8, n Int8 `json:$.u.n`")
        event = {"a": 1, "u": {"n": 1, "m": "x"}, "z": 1.5, "t": ["x"], "e": {}}
        line = json.dumps(event).encode()
        assert known.learn([line]) == {"u_m": "Nullable(String)", "z": "Nullable(Float32)", "t": "Array(String)"}
        assert not known.has_unknown(event)
        assert known.learn([line]) == {}
        assert known.has_unknown({**event, "e": {"f": 1}})

    def test_a_column_with_the_whole_event_knows_every_field(self) -> None:
        known = self.known("line String `json:$`")
        assert not known.has_unknown({"x": 1})
        assert known.unknown_condition("line") is None
        assert known.learn([b'{"x":1}']) == {}

    def test_ids_as_keys_do_not_fill_the_memory(self) -> None:
        known = self.known("a Int8")
        found = known.learn([json.dumps({f"k{number}": 1 for number in range(20_000)}).encode()])
        assert len(found) == MOST_FIELDS
        assert not known.has_unknown({"another": 1})
        assert known.unknown_condition("line") is None

    def test_lines_python_cannot_read(self) -> None:
        known = self.known("a Int8")
        assert known.learn([b'{"b":' + b"9" * 5_000 + b"}"]) in ({}, {"b": "Nullable(String)"})
