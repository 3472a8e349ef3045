"""Every row accounted for, whatever breaks: each way of getting rows in, under each fault, against ``count()``."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import faults
from tinymagic.api.errors import Cancelled, Forbidden, InvalidInput, JobFailed, TinybirdError
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.retries import Patience
from tinymagic.api.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tinymagic.api.ingest.report import IngestReport

ROWS = 100
BATCH = 20
SCHEMA = "`n` Int64 `json:$.n`, `s` Nullable(String) `json:$.s`"
IMPATIENT = Patience(attempts=3, first_wait_s=0.01)

_numbers = itertools.count()


@dataclass
class Bench:
    """A Data Source behind a proxy that breaks what passes, and a way to count past it."""

    proxy: faults.FaultProxy
    ws: Workspace
    straight: Workspace
    name: str
    folder: Path

    def there(self) -> tuple[int, int]:
        """How many rows there are, and how many different ones."""
        found = self.straight.sql(f"SELECT count() AS c, uniqExact(n) AS u FROM {self.name}")
        return int(found.c[0]), int(found.u[0])


@pytest.fixture
def bench(server: Any, tokens: dict[str, str], tmp_path: Path) -> Iterator[Bench]:
    """A new Data Source, and a proxy of the test's own."""
    token = tokens["workspace_admin_token"]
    with faults.FaultProxy(server.host) as proxy:
        straight = Workspace(server.host, token)
        name = f"faulty_{next(_numbers)}"
        straight.datasources.create(name, SCHEMA, sorting_key="n")
        yield Bench(proxy, Workspace(proxy.host, token, patience=IMPATIENT, timeout_s=5.0), straight, name, tmp_path)
        straight.datasources.delete(name, force=True)


# --- the ways -----------------------------------------------------------------------------------------------------


def by_events(bench: Bench, **options: Any) -> IngestReport:
    rows = [{"n": n, "s": f"row {n}"} for n in range(ROWS)]
    return bench.ws.events.send(bench.name, rows, batch_rows=BATCH, **options)


def by_generator(bench: Bench, **options: Any) -> IngestReport:
    rows = ({"n": n, "s": f"row {n}"} for n in range(ROWS))
    return bench.ws.events.send(bench.name, rows, batch_rows=BATCH, **options)


def by_multipart(bench: Bench, **options: Any) -> IngestReport:
    frame = pd.DataFrame({"n": range(ROWS), "s": [f"row {n}" for n in range(ROWS)]})
    return bench.ws.datasources.append(bench.name, frame, batch_rows=BATCH, **options)


def by_split_csv(bench: Bench, **options: Any) -> IngestReport:
    path = bench.folder / "rows.csv"
    path.write_text("n,s\n" + "".join(f'{n},"row\n{n}"\n' for n in range(ROWS)))
    return bench.ws.datasources.append(bench.name, path, batch_rows=BATCH, **options)


def by_split_ndjson(bench: Bench, **options: Any) -> IngestReport:
    path = bench.folder / "rows.ndjson"
    path.write_text("".join(f'{{"n": {n}, "s": "row"}}\n\n' for n in range(ROWS)))
    return bench.ws.events.send(bench.name, path, batch_rows=BATCH, **options)


def by_job(bench: Bench, **options: Any) -> IngestReport:
    path = bench.folder / "whole.csv"
    path.write_text("n,s\n" + "".join(f"{n},row\n" for n in range(ROWS)))
    return bench.ws.datasources.append(bench.name, path, via="job", **options)


def by_file(bench: Bench, **options: Any) -> IngestReport:
    path = bench.folder / "whole.csv"
    path.write_text("n,s\n" + "".join(f"{n},row\n" for n in range(ROWS)))
    return bench.ws.datasources.append(bench.name, path, **options)


#: The way, and the path that its requests have.
WAYS: dict[str, tuple[Any, str]] = {
    "events": (by_events, "/v0/events"),
    "generator": (by_generator, "/v0/events"),
    "split ndjson": (by_split_ndjson, "/v0/events"),
    "multipart": (by_multipart, "/v0/datasources"),
    "split csv": (by_split_csv, "/v0/datasources"),
    "file": (by_file, "/v0/datasources"),
    "job": (by_job, "/v1/datasources/*"),
}
IN_PARTS = {"events", "generator", "split ndjson", "multipart", "split csv"}

FAULTS: dict[str, Any] = {
    "reset before": lambda: faults.reset_before(),
    "reset during": lambda: faults.reset_during(),
    "reset after": lambda: faults.reset_after(),
    "hang up after": lambda: faults.hang_up_after(),
    "429 seconds": lambda: faults.status(429, retry_after=0.05),
    "429 date": lambda: faults.status(429, retry_after=0, as_date=True),
    "429 without a time": lambda: faults.status(429),
    "503": lambda: faults.status(503),
    "503 with a time": lambda: faults.status(503, retry_after=0.05),
    "500": lambda: faults.status(500),
    "500 after the work": lambda: faults.status(500, when="after"),
    "502 page": lambda: faults.html_page(502),
    "504 after the work": lambda: faults.html_page(504, when="after"),
    "slow": lambda: faults.slow(2.0),
    "truncated": lambda: faults.truncated(),
    "page of success": lambda: faults.html_success(),
    "damaged gzip": lambda: faults.damaged_gzip(),
    "cut gzip": lambda: faults.cut_gzip(),
    "400": lambda: faults.status(400),
    "413": lambda: faults.status(413),
}

#: After these the rows are stored in any case: they are tried again, or (413) sent in halves.
HEALED = {"429 seconds", "429 date", "429 without a time"}
HEALED_EVENTS = HEALED | {"503", "503 with a time"}
#: These certainly stored nothing.
REFUSED = {"400", "413"}


def check(report: IngestReport, bench: Bench, rows: int = ROWS) -> None:
    """Hold a report against what is there."""
    assert report.rows_in == rows
    assert report.rows_in == (report.stored + report.quarantined + report.invalid + report.failed + report.unknown)
    for batch in report.batches:
        assert batch.rows == batch.stored + batch.quarantined + batch.invalid + batch.failed + batch.unknown
    places = [(batch.first_row, batch.rows) for batch in report.batches]
    assert [first for first, _ in places] == list(itertools.accumulate([0] + [rows or 0 for _, rows in places]))[:-1]
    count, different = bench.there()
    assert count == different, "no row is there twice"
    assert report.stored <= count <= report.stored + report.unknown


def sent(way: Any, bench: Bench, **options: Any) -> IngestReport:
    """Send, and return the report, also that of an error."""
    try:
        return way(bench, **options)
    except TinybirdError as error:
        return error.report  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("way", "on_failure"),
    [*((way, "stop") for way in WAYS), ("events", "continue"), ("multipart", "continue")],
)
def test_every_row_is_accounted_for(way: str, fault: str, on_failure: str, bench: Bench) -> None:
    """In the report, and by resuming."""
    send, path = WAYS[way]
    ahead = [None, None] if way in IN_PARTS else []
    bench.proxy.on("POST", path, *ahead, FAULTS[fault]())
    options = {"timeout_s": 0.7} if fault == "slow" else {}
    report = sent(send, bench, on_failure=on_failure, **options)
    # A generator is asked for one row more than goes into a batch, and for none after that.
    total = 3 * BATCH + 1 if report.unfinished else ROWS
    assert report.unfinished in (False, way == "generator")
    check(report, bench, total)
    events = path == "/v0/events"
    if fault in (HEALED_EVENTS if events else HEALED):
        assert report.complete
        assert max(batch.attempts for batch in report.batches) == 2
    elif fault == "413" and way in IN_PARTS:
        assert report.complete
        assert len(report.batches) == 6
    elif fault in REFUSED:
        assert (report.unknown, report.unknown_batches) == (0, ())
        assert report.failed == (ROWS if way not in IN_PARTS else 20 if on_failure == "continue" else total - 40)
    else:
        assert report.unknown == (BATCH if way in IN_PARTS else ROWS)
        assert report.unknown_batches[0].error
    retry = bench.ws.events.retry
    again = retry(report)
    check(again, bench, total)
    assert again.failed == 0
    assert again.unknown == report.unknown
    if not again.unknown:
        assert bench.there() == (total, total)
        assert again.complete
    else:
        last = retry(again, include_unknown=True)
        assert last.unknown == 0
        assert "doubles" in last.notices[-1]
        count, different = bench.there()
        assert different == total
        assert count >= total


class TestStops:
    @pytest.mark.parametrize("way", sorted(IN_PARTS - {"generator"}))
    def test_what_every_batch_would_get_stops_the_work(self, way, bench):
        send, path = WAYS[way]
        bench.proxy.on("POST", path, None, faults.status(403))
        with pytest.raises(Forbidden) as caught:
            send(bench, on_failure="continue")
        report = caught.value.report
        check(report, bench)
        assert (report.stored, report.failed) == (20, 80)
        assert [batch.outcome for batch in report.batches] == ["answered", "failed", "not sent"]
        assert len(bench.proxy.passed("POST", path)) == 2
        again = bench.ws.datasources.append(bench.name, resume=report)
        assert again.complete
        assert bench.there() == (ROWS, ROWS)

    def test_a_resumed_work_that_fails_again_tells_of_all_rows(self, bench):
        bench.proxy.on("POST", "/v0/events", None, faults.status(400), None, faults.status(400))
        with pytest.raises(TinybirdError) as first:
            by_events(bench)
        with pytest.raises(TinybirdError) as second:
            bench.ws.events.retry(first.value.report)
        check(second.value.report, bench)
        assert (second.value.report.stored, second.value.report.failed) == (40, 60)
        check(bench.ws.events.retry(second.value.report), bench)
        assert bench.there() == (ROWS, ROWS)

    @pytest.mark.parametrize("fails_once_more", [False, True])
    def test_a_report_that_is_resumed_twice_stores_nothing_twice(self, fails_once_more, bench):
        bench.proxy.on("POST", "/v0/events", None, faults.status(400), None, *[faults.status(400)] * fails_once_more)
        report = sent(by_events, bench)
        for _ in range(3):
            try:
                again = bench.ws.events.retry(report)
            except TinybirdError:
                continue
        check(again, bench)
        assert again.complete
        assert bench.there() == (ROWS, ROWS)

    def test_a_generator_is_left_where_it_stands(self, bench):
        bench.proxy.on("POST", "/v0/events", None, faults.status(400))
        rows = iter([{"n": n} for n in range(ROWS)])
        with pytest.raises(TinybirdError) as caught:
            bench.ws.events.send(bench.name, rows, batch_rows=BATCH)
        report = caught.value.report
        assert report.unfinished
        assert "left where it stood" in report.sentence()
        check(report, bench, rows=41)
        bench.ws.events.retry(report)
        assert bench.ws.events.send(bench.name, rows, batch_rows=BATCH).stored == ROWS - 41
        assert bench.there() == (ROWS, ROWS)

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_generator_of_tables_is_accounted_for_to_the_row(self, bench, stream):
        bench.proxy.on("POST", "/v0/events", None, faults.status(400))
        tables = (pd.DataFrame({"n": range(start, start + 50)}) for start in range(0, ROWS, 50))
        events = bench.ws.events
        size = {"flush_rows": BATCH} if stream else {"batch_rows": BATCH}
        with pytest.raises(TinybirdError) as caught:
            (events.stream if stream else events.send)(bench.name, tables, **size)
        report = caught.value.report
        assert report.rows_in in ((50, 100) if stream else (50,))
        check(report, bench, report.rows_in)
        again = bench.ws.events.retry(report)
        assert bench.there() == (again.stored, again.stored) == (report.rows_in,) * 2

    def test_a_file_that_has_changed_is_not_resumed(self, bench):
        bench.proxy.on("POST", "/v0/datasources", None, faults.status(400))
        report = sent(by_split_csv, bench)
        (bench.folder / "rows.csv").write_text("n,s\n1,other\n")
        with pytest.raises(InvalidInput, match="has changed"):
            bench.ws.datasources.append(bench.name, resume=report)
        check(report, bench)

    def test_a_generator_that_fails(self, bench):
        def rows():
            yield from ({"n": n} for n in range(50))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as caught:
            bench.ws.events.send(bench.name, rows(), batch_rows=BATCH)
        report = caught.value.report
        check(report, bench, rows=50)
        assert (report.stored, report.failed) == (40, 10)
        assert bench.ws.events.retry(report).stored == 50


class TestJobs:
    def test_a_job_that_is_lost_is_asked_again_and_not_sent_again(self, bench):
        bench.proxy.on("GET", "/v0/jobs/*", faults.status(400))
        report = sent(by_job, bench)
        assert report.unknown == ROWS
        assert report.batches[0].job_id
        deadline = time.monotonic() + 10
        while bench.there()[0] < ROWS:
            assert time.monotonic() < deadline
        again = bench.ws.datasources.append(bench.name, resume=report)
        assert again.complete
        assert again.stored == ROWS
        assert bench.there() == (ROWS, ROWS)
        assert len(bench.proxy.passed("POST", "/v1/datasources/*")) == 1

    def test_a_job_that_fails(self, bench):
        (bench.folder / "bad.parquet").write_bytes(b"PAR1 and nothing")
        with pytest.raises((JobFailed, TinybirdError)) as caught:
            bench.ws.datasources.append(bench.name, bench.folder / "bad.parquet", via="job")
        assert caught.value.report.stored == 0
        assert bench.there() == (0, 0)


class TestInterrupts:
    @pytest.mark.parametrize("way", sorted(WAYS))
    def test_cancelled_in_the_middle(self, way, bench):
        send, path = WAYS[way]
        bench.proxy.on("POST", path, *([None, None] if way in IN_PARTS else []), faults.slow(5, when="after"))
        cancellation = Cancellation()

        def cancel():
            bench.proxy.wait_for("POST", path, count=3 if way in IN_PARTS else 1)
            time.sleep(0.2)
            cancellation.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(Cancelled) as caught:
            send(bench, cancellation=cancellation)
        thread.join()
        report = caught.value.report
        assert report.interrupted
        assert report.sentence().startswith("Interrupted.")
        time.sleep(0.3)
        if way == "generator":
            check(report, bench, rows=report.rows_in)
        else:
            check(report, bench)
        assert report.unknown == (BATCH if way in IN_PARTS else ROWS)
        check_resumed(report, bench)

    def test_cancelled_in_a_pause_nothing_is_unknown(self, bench):
        bench.proxy.on("POST", "/v0/events", None, faults.status(429, retry_after=30))
        cancellation = Cancellation()
        bench.ws.on_wait = lambda *_: cancellation.cancel()
        with pytest.raises(Cancelled) as caught:
            by_events(bench, cancellation=cancellation)
        report = caught.value.report
        check(report, bench)
        assert (report.stored, report.failed, report.unknown) == (20, 80, 0)
        bench.ws.on_wait = None
        check_resumed(report, bench)
        assert bench.there() == (ROWS, ROWS)

    def test_an_interrupt_of_the_keyboard_carries_the_report(self, bench):
        def press(progress):
            if progress.done >= 60:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as caught:
            by_events(bench, on_progress=press)
        report = caught.value.report
        assert report.interrupted
        check(report, bench)
        assert (report.stored, report.failed) == (60, 40)
        check_resumed(report, bench)
        assert bench.there() == (ROWS, ROWS)


def check_resumed(report: IngestReport, bench: Bench) -> None:
    bench.proxy.clear()
    again = bench.ws.events.retry(report)
    assert again.failed == 0
    count, different = bench.there()
    assert count == different
    assert again.stored <= count <= again.stored + again.unknown


@contextmanager
def rules(bench: Bench, path: str, *given: Any) -> Iterator[None]:
    bench.proxy.on("POST", path, *given)
    try:
        yield
    finally:
        bench.proxy.clear()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.booleans(), st.one_of(st.none(), st.text(max_size=5))), min_size=1, max_size=60),
    batch=st.integers(1, 25),
    broken=st.sets(st.integers(0, 8), max_size=3),
    fault=st.sampled_from(["503", "400", "reset after", "truncated", "500", "413"]),
    way=st.sampled_from(["list", "generator", "frame", "csv", "stream"]),
    on_failure=st.sampled_from(["stop", "continue"]),
)
def test_random_rows_add_up(bench, rows, batch, broken, fault, way, on_failure):
    """Some rows do not fit, some batches break: the report and the tables say the same."""
    before = bench.there()[0]
    kept = int(bench.straight.datasources.get(bench.name).quarantine_rows or 0)
    values = [(str(place + before) if good else "no number", text) for place, (good, text) in enumerate(rows)]
    given_rows = [{"n": int(n) if n.isdigit() else n, "s": text} for n, text in values]
    path = "/v0/datasources" if way in ("frame", "csv") else "/v0/events"
    plan = [FAULTS[fault]() if place in broken else None for place in range(9)]
    sources: dict[str, Any] = {
        "list": lambda: bench.ws.events.send(bench.name, given_rows, batch_rows=batch, on_failure=on_failure),
        "generator": lambda: bench.ws.events.send(
            bench.name, iter(given_rows), batch_rows=batch, on_failure=on_failure
        ),
        "stream": lambda: bench.ws.events.stream(bench.name, iter(given_rows), flush_rows=batch, on_failure=on_failure),
        "frame": lambda: bench.ws.datasources.append(
            bench.name,
            pd.DataFrame({"n": [n for n, _ in values], "s": [text for _, text in values]}),
            format="ndjson",
            batch_rows=batch,
            on_failure=on_failure,
        ),
        "csv": lambda: bench.ws.datasources.append(
            bench.name,
            ("n,s\n" + "".join(f"{n},x\n" for n, _ in values)).encode(),
            batch_rows=batch,
            on_failure=on_failure,
        ),
    }
    with rules(bench, path, *plan):
        try:
            report = sources[way]()
        except TinybirdError as error:
            report = error.report  # type: ignore[attr-defined]
    assert report.rows_in == report.stored + report.quarantined + report.invalid + report.failed + report.unknown
    if way not in ("generator", "stream"):
        assert report.rows_in == len(rows)
    stored = bench.there()[0] - before
    quarantined = int(bench.straight.datasources.get(bench.name).quarantine_rows or 0) - kept
    assert report.stored <= stored
    assert report.quarantined <= quarantined
    assert stored + quarantined <= report.stored + report.quarantined + report.unknown
    if not report.unknown:
        assert (stored, quarantined) == (report.stored, report.quarantined)


def test_a_service_without_jobs_for_files(bench):
    """The sentence says what else can be done; nothing was stored, so nothing is in doubt."""
    bench.proxy.on("POST", "/v1/datasources/*", faults.status(405))
    with pytest.raises(TinybirdError, match=r"no import jobs.*leave via out") as caught:
        by_job(bench)
    assert (caught.value.report.failed, caught.value.report.unknown) == (ROWS, 0)
