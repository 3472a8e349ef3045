"""When scheduled Pipes run, with a clock of the test's own and a real catalogue; and what a cron expression may be."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from tinymagic.local.catalog import Catalog
from tinymagic.local.cron import CronError, read_cron
from tinymagic.local.errors import BadRequest
from tinymagic.local.records import Node, PipeRecord, Workspace
from tinymagic.local.services.schedules import Schedules, schedule_object


def at(text: str) -> datetime:
    """A time of the first day of 2026, or a whole one."""
    return datetime.fromisoformat(text if "-" in text else f"2026-01-01T{text}").replace(tzinfo=timezone.utc)


class Clock:
    """A clock that stands where it was put."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


class Runs:
    """What was fired: name of the Pipe and due time."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, datetime]] = []
        self.broken: set[str] = set()

    def __call__(self, workspace, pipe, node, due) -> None:
        self.seen.append((pipe.name, due))
        if pipe.name in self.broken:
            raise RuntimeError("broken")

    def take(self) -> list[tuple[str, datetime]]:
        taken, self.seen = self.seen, []
        return taken


@pytest.fixture
def catalog():
    made = Catalog(None)
    made.create_workspace(Workspace("w", "W", "w_0"))
    yield made
    made.close()


@pytest.fixture
def clock():
    return Clock(at("10:00:30"))


@pytest.fixture
def runs():
    return Runs()


@pytest.fixture
def schedules(catalog, clock, runs):
    made = Schedules(catalog, clock=clock)
    made.register("copy", runs)
    yield made
    made.close()


def put(catalog, name: str, cron: str, *, paused: bool = False, kind: str = "copy") -> PipeRecord:
    node = Node(f"t_{name}_node", "n", type=kind, output={"schedule_cron": cron, "paused": paused})
    pipe = PipeRecord(f"t_{name}", "w", name, nodes=(Node(f"t_{name}_first", "first"), node))
    return catalog.update_pipe(pipe) if catalog.pipe("w", name) else catalog.create_pipe(pipe)


class TestFiring:
    def test_what_is_due_is_fired_once(self, catalog, clock, runs, schedules):
        put(catalog, "a", "* * * * *")
        assert schedules.tick() == 30
        assert runs.take() == []
        clock.moment = at("10:01:00")
        assert schedules.tick() == 60
        assert runs.take() == [("a", at("10:01:00"))]
        assert schedules.tick() == 60
        clock.moment = at("10:01:59.900")
        schedules.tick()
        assert runs.take() == []

    def test_a_late_look_gives_the_time_that_was_due(self, catalog, clock, runs, schedules):
        put(catalog, "a", "*/5 * * * *")
        schedules.tick()
        clock.moment = at("10:05:17.250")
        schedules.tick()
        assert runs.take() == [("a", at("10:05:00"))]

    def test_of_times_slept_through_only_the_last_is_run(self, catalog, clock, runs, schedules):
        put(catalog, "minutely", "* * * * *")
        put(catalog, "weekly", "0 3 * * 1")
        put(catalog, "yearly", "@yearly")
        schedules.tick()
        clock.moment = at("2026-02-20T12:34:56")
        schedules.tick()
        assert runs.take() == [("minutely", at("2026-02-20T12:34:00")), ("weekly", at("2026-02-16T03:00:00"))]

    def test_what_was_due_while_the_server_was_down_is_not_made_up(self, catalog, clock, runs):
        put(catalog, "a", "0 * * * *")
        clock.moment = at("12:10:00")
        later = Schedules(catalog, clock=clock)
        later.register("copy", runs)
        assert later.tick() == 50 * 60
        assert runs.take() == []

    def test_two_pipes_keep_their_own_times(self, catalog, clock, runs, schedules):
        put(catalog, "a", "1 * * * *")
        put(catalog, "b", "2 * * * *")
        schedules.tick()
        for minute in (1, 2, 3):
            clock.moment = at(f"10:0{minute}:01")
            schedules.tick()
        assert [name for name, _ in runs.take()] == ["a", "b"]

    def test_one_that_cannot_be_started_does_not_stop_the_others(self, catalog, clock, runs, schedules, caplog):
        put(catalog, "a", "* * * * *")
        put(catalog, "b", "* * * * *")
        runs.broken = {"a"}
        schedules.tick()
        for minute in (1, 2):
            clock.moment = at(f"10:0{minute}:00")
            schedules.tick()
        assert [name for name, _ in runs.take()] == ["a", "b", "a", "b"]
        assert "could not be started" in caplog.text

    def test_nothing_runs_by_itself_in_a_branch(self, catalog, clock, runs, schedules):
        catalog.create_workspace(Workspace("b", "Branch", "w_1", main="w"))
        node = Node("t_n", "n", type="copy", output={"schedule_cron": "* * * * *"})
        catalog.create_pipe(PipeRecord("t_p", "b", "p", nodes=(node,)))
        assert schedules.tick() is None

    def test_a_type_that_nobody_runs_is_left_alone(self, catalog, clock, runs, schedules):
        put(catalog, "a", "* * * * *", kind="sink")
        assert schedules.tick() is None


class TestChanges:
    def test_a_new_schedule_is_seen(self, catalog, clock, runs, schedules):
        assert schedules.tick() is None
        put(catalog, "a", "* * * * *")
        assert schedules.tick() == 30

    def test_a_paused_one_does_not_fire(self, catalog, clock, runs, schedules):
        put(catalog, "a", "* * * * *")
        schedules.tick()
        put(catalog, "a", "* * * * *", paused=True)
        clock.moment = at("10:01:00")
        schedules.tick()
        assert runs.take() == []
        assert schedules.tick() is None

    def test_a_resumed_one_is_due_at_the_next_time_not_the_missed_one(self, catalog, clock, runs, schedules):
        put(catalog, "a", "0 * * * *", paused=True)
        schedules.tick()
        clock.moment = at("11:30:00")
        put(catalog, "a", "0 * * * *")
        schedules.changed()
        assert schedules.tick() == 30 * 60
        assert runs.take() == []

    def test_another_change_does_not_move_a_due_time(self, catalog, clock, runs, schedules):
        put(catalog, "a", "* * * * *")
        schedules.tick()
        clock.moment = at("10:01:00")
        put(catalog, "b", "@daily")
        schedules.changed()
        schedules.tick()
        assert runs.take() == [("a", at("10:01:00"))]

    def test_a_new_expression_counts_from_now(self, catalog, clock, runs, schedules):
        put(catalog, "a", "1 * * * *")
        schedules.tick()
        put(catalog, "a", "30 * * * *")
        clock.moment = at("10:01:00")
        schedules.tick()
        assert runs.take() == []
        clock.moment = at("10:30:00")
        schedules.tick()
        assert runs.take() == [("a", at("10:30:00"))]

    def test_a_pipe_that_is_gone_is_forgotten(self, catalog, clock, runs, schedules):
        pipe = put(catalog, "a", "* * * * *")
        schedules.tick()
        catalog.delete_pipe(pipe.id)
        clock.moment = at("10:01:00")
        assert schedules.tick() is None
        assert runs.take() == []

    def test_an_expression_that_cannot_be_read_does_no_harm(self, catalog, clock, runs, schedules, caplog):
        put(catalog, "a", "every now and then")
        put(catalog, "b", "* * * * *")
        assert schedules.tick() == 30
        assert "is not followed" in caplog.text

    def test_once_runs_once(self, catalog, clock, runs, schedules):
        put(catalog, "a", "@once")
        schedules.tick()
        assert runs.take() == [("a", at("10:00:30"))]
        clock.moment = at("10:05:00")
        schedules.changed()
        assert schedules.tick() is None
        assert runs.take() == []
        assert catalog.pipe("w", "a").output_node.output["schedule_cron"] == ""


class TestClock:
    def test_set_back_a_little_fires_nothing_twice(self, catalog, clock, runs, schedules):
        put(catalog, "a", "* * * * *")
        schedules.tick()
        clock.moment = at("10:01:00")
        schedules.tick()
        runs.take()
        for moment in ("09:59:30", "10:00:30", "10:01:30"):
            clock.moment = at(moment)
            schedules.changed()
            schedules.tick()
        assert runs.take() == []
        clock.moment = at("10:02:00")
        schedules.tick()
        assert runs.take() == [("a", at("10:02:00"))]

    def test_set_back_by_years_begins_anew(self, catalog, clock, runs, schedules):
        clock.moment = at("2031-01-01T00:00:30")
        put(catalog, "a", "* * * * *")
        schedules.tick()
        clock.moment = at("10:00:30")
        assert schedules.tick() == 30
        clock.moment = at("10:01:00")
        schedules.tick()
        assert runs.take() == [("a", at("10:01:00"))]


class TestThread:
    def test_fires_by_itself_and_ends_when_closed(self, catalog):
        begin, others = time.monotonic(), set(threading.enumerate())

        def fast() -> datetime:
            """Two hundred times as fast as a real one."""
            return at("10:00:00") + timedelta(seconds=200 * (time.monotonic() - begin))

        fired = threading.Event()
        schedules = Schedules(catalog, clock=fast)
        schedules.register("copy", lambda *_: fired.set())
        put(catalog, "a", "* * * * *")
        schedules.start()
        # It sleeps for as long as the clock says, so wake it up as a change would.
        for _ in range(100):
            schedules.changed()
            if fired.wait(0.05):
                break
        assert fired.is_set()
        schedules.close()
        left = set(threading.enumerate()) - others
        assert not any(thread.name == "schedules" for thread in left)


class TestExpressions:
    @pytest.mark.parametrize(
        ("cron", "due"),
        [
            ("* * * * *", "10:01:00"),
            ("*/15 * * * *", "10:15:00"),
            ("0 * * * *", "11:00:00"),
            ("  5   10  * * * ", "10:05:00"),
            ("0 12 * * mon-fri", "12:00:00"),
            ("0 0 29 2 *", "2028-02-29T00:00:00"),
            ("@hourly", "11:00:00"),
            ("@Daily", "2026-01-02T00:00:00"),
            ("@midnight", "2026-01-02T00:00:00"),
            ("@weekly", "2026-01-04T00:00:00"),
            ("@monthly", "2026-02-01T00:00:00"),
            ("@yearly", "2027-01-01T00:00:00"),
            ("0 0 * * 7", "2026-01-04T00:00:00"),
        ],
    )
    def test_due(self, cron, due):
        found = read_cron(cron)
        assert found is not None
        assert found.next_after(at("10:00:30")) == at(due)
        assert found.last_until(found.next_after(at("10:00:30"))) == at(due)

    @pytest.mark.parametrize("text", ["", "  ", "@on-demand", "@ON-DEMAND", "None"])
    def test_no_schedule(self, text):
        assert read_cron(text) is None
        assert Schedules.check(text) == ""

    @pytest.mark.parametrize(
        "text",
        [
            "* * * *",
            "* * * * * *",
            "* * * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "*/0 * * * *",
            "0 0 30 2 *",
            "R * * * *",
            "H H * * *",
            "h(0-5) * * * *",
            "a b c d e",
            "@reboot",
            "@never",
            "@hourly @daily",
            "hourly",
            "0 0 * * ٣",
            "0 0 1 1 * ; rm",
            "1," * 5_000 + "1 * * * *",
            "\x00 * * * *",
        ],
    )
    def test_refused(self, text):
        begin = time.monotonic()
        with pytest.raises(BadRequest) as caught:
            Schedules.check(text)
        assert caught.value.message == f"Invalid cron expression: '{text.strip()[:200]}'"
        assert time.monotonic() - begin < 2

    def test_the_text_is_stored_in_one_form(self):
        assert Schedules.check(" 0\t0  * * * \n") == "0 0 * * *"

    def test_the_pure_error(self):
        with pytest.raises(CronError, match="Invalid cron expression: 'x'"):
            read_cron("x")


def test_the_schedule_as_the_api_shows_it():
    assert schedule_object({"schedule_cron": "", "paused": True}) is None
    assert schedule_object({"schedule_cron": "0 * * * *"}) == {
        "timezone": "Etc/UTC",
        "cron": "0 * * * *",
        "status": "running",
    }
    assert schedule_object({"schedule_cron": "0 * * * *", "paused": True})["status"] == "paused"
