"""The Events API through the client, on the embedded server: what succeeds, and each error of the contract."""

from __future__ import annotations

import gzip
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests import faults
from tinymagic.api.errors import (
    BadRequest,
    Forbidden,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    ServerError,
    Unavailable,
    UnprocessableRows,
)
from tinymagic.api.http.retries import Patience
from tinymagic.api.ingest.report import Reason
from tinymagic.api.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tinymagic.local import LocalServer

SCHEMA = "`n` Int64 `json:$.n`, `page` Nullable(String) `json:$.page`"
_numbers = itertools.count()


@pytest.fixture
def ws(workspace: Any) -> Workspace:
    return workspace


@pytest.fixture
def visits(ws: Workspace) -> Iterator[str]:
    name = f"visits_{next(_numbers)}"
    ws.datasources.create(name, SCHEMA, sorting_key="n")
    yield name
    ws.datasources.delete(name, force=True)


def numbers(ws: Workspace, name: str) -> list[int]:
    return ws.sql(f"SELECT n FROM {name} ORDER BY n").n.tolist()


class TestRaw:
    def test_one_request(self, ws, visits):
        reply = ws.events.send_raw(visits, b'{"n": 1}\n{"n": "x"}\n')
        assert (reply.successful_rows, reply.quarantined_rows, reply.status) == (1, 1, 200)
        assert ws.events.send_raw(visits, '{"n": 2}', wait=False).status == 202
        assert ws.events.send_raw(visits, '{\n"n":\n3}', format="json").successful_rows == 1
        assert numbers(ws, visits) == [1, 2, 3]

    @pytest.mark.parametrize("compress", ["gzip", "none", "auto"])
    def test_compression(self, ws, visits, compress):
        assert ws.events.send_raw(visits, b'{"n": 1}', compress=compress).successful_rows == 1
        assert ws.events.send_raw(visits, gzip.compress(b'{"n": 2}'), compress=compress).successful_rows == 1

    def test_what_is_found_before(self, ws, visits):
        with pytest.raises(InvalidInput, match="name"):
            ws.events.send_raw(" ", b"{}")
        with pytest.raises(InvalidInput, match="'ndjson' or 'json'"):
            ws.events.send_raw(visits, b"{}", format="xml")
        with pytest.raises(PayloadTooLarge, match="10 MB"):
            ws.events.send_raw(visits, b" " * 10_000_001)
        with pytest.raises(InvalidInput, match="compress"):
            ws.events.send_raw(visits, b"{}", compress="zip")

    def test_what_the_service_refuses(self, ws, visits, server: LocalServer):
        with pytest.raises(BadRequest):
            ws.events.send_raw(visits, b"\x00")
        with pytest.raises(Forbidden):
            Workspace(server.host, "p.not.a-token").events.send_raw(visits, b"{}")


class TestSend:
    @pytest.mark.parametrize(
        "rows",
        [
            {"n": 1, "page": "/"},
            [{"n": 1}],
            (row for row in [{"n": 1}]),
            iter([pd.DataFrame({"n": [1]})]),
            pd.DataFrame({"n": [1]}),
            b'{"n": 1}\n',
        ],
        ids=["dictionary", "list", "generator", "generator of tables", "frame", "bytes"],
    )
    def test_rows_of_every_kind(self, ws, visits, rows):
        report = ws.events.send(visits, rows)
        assert (report.rows_in, report.stored, report.complete, str(report)) == (1, 1, True, "1 row stored.")
        assert numbers(ws, visits) == [1]

    def test_polars_and_arrow(self, ws, visits):
        pa = pytest.importorskip("pyarrow")
        table = pa.table({"n": [1, 2], "page": ["/", None]})
        ws.events.send(visits, table)
        ws.events.send(visits, table.to_batches()[0])
        pl = pytest.importorskip("polars")
        ws.events.send(visits, pl.from_arrow(table))
        ws.events.send(visits, pl.from_arrow(table).lazy())
        assert numbers(ws, visits) == [1] * 4 + [2] * 4

    def test_a_file(self, ws, visits, tmp_path):
        (tmp_path / "a.ndjson").write_text('{"n": 1}\n\n{"n": 2}')
        (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(b'{"n": 3}\n{"n": 4}\n{"n": 5}\n'))
        assert ws.events.send(visits, tmp_path / "a.ndjson").stored == 2
        report = ws.events.send(visits, tmp_path / "b.ndjson.gz", batch_rows=2)
        assert ([batch.rows for batch in report.batches], report.stored) == ([2, 1], 3)
        (tmp_path / "c.csv").write_text("n\n1\n")
        with pytest.raises(InvalidInput, match=r"takes NDJSON.*datasources\.append"):
            ws.events.send(visits, tmp_path / "c.csv")

    def test_batches_keep_their_order_and_limits(self, ws, visits):
        seen = []
        report = ws.events.send(
            visits, [{"n": n} for n in range(1000)], batch_rows=300, on_progress=lambda each: seen.append(each.done)
        )
        assert [(b.first_row, b.rows) for b in report.batches] == [(0, 300), (300, 300), (600, 300), (900, 100)]
        assert seen == [300, 600, 900, 1000]
        small = ws.events.send(visits, [{"n": n} for n in range(100)], batch_bytes=200)
        assert all(batch.bytes <= 200 for batch in small.batches)
        assert small.stored == 100

    def test_reasons_are_read_back(self, ws, visits):
        report = ws.events.send(visits, [{"n": 1}, {"n": "x"}, {"n": "it's y"}, {"page": "/"}])
        assert (report.stored, report.quarantined, report.complete) == (1, 3, False)
        first, second = report.reasons
        assert (first.column, first.reason, first.rows) == ("n", "value on column 'n' is not Int64", 2)
        assert first.example.startswith("value '")
        assert second == Reason("n", second.reason, 1, second.example)
        assert "missing" in second.reason

    def test_without_the_right_to_read_there_are_no_reasons(self, ws, visits, api, server):
        made = api.post("/v0/tokens", params={"name": f"only_{visits}", "scope": f"DATASOURCES:APPEND:{visits}"})
        writer = Workspace(server.host, made.json()["token"])
        report = writer.events.send(visits, [{"n": 1}, {"n": "x"}])
        assert (report.stored, report.quarantined, report.reasons) == (1, 1, ())

    def test_rows_that_cannot_be_written(self, ws, visits):
        with pytest.raises(InvalidInput, match="Row 2"):
            ws.events.send(visits, [{"n": 1}, {"n": 2}, {"n": object()}], batch_rows=1)
        assert numbers(ws, visits) == []
        with pytest.raises(InvalidInput, match="Row 2") as caught:
            ws.events.send(visits, iter([{"n": 1}, {"n": 2}, {"n": object()}]), batch_rows=1)
        assert (caught.value.report.stored, caught.value.report.invalid) == (2, 1)
        report = ws.events.send(visits, iter([{"n": 3}, 5, {"n": 4}]), on_failure="continue")
        assert (report.stored, report.invalid, report.rows_in, report.complete) == (2, 1, 3, False)
        assert "1 line not readable" in str(report)

    @pytest.mark.parametrize("rows", ["https://example.org/a.ndjson", 5, None, "no such file.ndjson"])
    def test_what_is_no_rows(self, ws, visits, rows):
        with pytest.raises(InvalidInput):
            ws.events.send(visits, rows)

    @pytest.mark.parametrize("options", [{"batch_rows": 0}, {"on_failure": "hope"}, {"compress": "x"}])
    def test_options_that_cannot_be(self, ws, visits, options):
        with pytest.raises(InvalidInput):
            ws.events.send(visits, [{"n": 1}], **options)

    def test_no_rows_are_not_sent(self, ws, visits):
        report = ws.events.send(visits, [])
        assert (report.batches, report.rows_in, report.complete) == ((), 0, True)
        assert str(report) == "No rows, so nothing was sent."

    def test_a_long_row_is_named(self, ws, visits):
        with pytest.raises(PayloadTooLarge, match="Row 1 alone"):
            ws.events.send(visits, [{"n": 1}, {"page": "x" * 9_000_000}])

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, BadRequest),
            (403, Forbidden),
            (404, NotFound),
            (413, PayloadTooLarge),
            (422, UnprocessableRows),
            (429, RateLimited),
            (500, ServerError),
            (503, Unavailable),
        ],
    )
    def test_each_status_of_the_contract(self, ws, visits, server, tokens, status, error):
        with faults.FaultProxy(server.host) as proxy:
            client = Workspace(proxy.host, tokens["workspace_admin_token"], patience=Patience(attempts=1))
            proxy.on("POST", "/v0/events", faults.status(status, body="text"), always=True)
            with pytest.raises(error) as caught:
                client.events.send(visits, {"n": 1})
            report = caught.value.report
            assert report.rows_in == 1
            assert (report.failed, report.unknown) == ((0, 1) if status in (422, 500) else (1, 0))
            # Rows of which a view failed are stored: they are not sent again, asked or not.
            proxy.clear()
            again = client.events.retry(report, include_unknown=True)
            assert again.stored == (0 if status == 422 else 1)

    def test_a_window_that_is_used_up_is_waited_for(self, ws, visits):
        waits = []
        replies = []
        ws.on_wait = lambda seconds, why: waits.append((seconds, why))
        from tinymagic.api.http.transport import Transport

        send = Transport.send

        def spent(self, request, **options):
            reply = send(self, request, **options)
            if request.path == "/v0/events":
                replies.append(reply)
                reply.headers.update({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0.05"})
            return reply

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Transport, "send", spent)
            ws.events.send(visits, [{"n": n} for n in range(3)], batch_rows=1)
        assert len(replies) == 3
        assert [seconds for seconds, _ in waits] == [0.05, 0.05]
        assert "X-RateLimit-Remaining" in waits[0][1]


class TestStream:
    def test_rows_are_there_before_the_next_one_comes(self, ws, visits):
        def rows():
            for n in range(3):
                yield {"n": n}
                deadline = time.monotonic() + 10
                while len(numbers(ws, visits)) <= n:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)

        report = ws.events.stream(visits, rows(), flush_s=0.05)
        assert (report.stored, len(report.batches)) == (3, 3)

    def test_by_rows_and_bytes(self, ws, visits):
        report = ws.events.stream(visits, ({"n": n} for n in range(100)), flush_rows=30, flush_s=60)
        assert [batch.rows for batch in report.batches] == [30, 30, 30, 10]
        report = ws.events.stream(visits, ({"n": n} for n in range(100)), flush_bytes=100, flush_s=60)
        assert all(batch.bytes <= 100 for batch in report.batches)
        assert report.stored == 100

    def test_an_interrupt_lets_out_what_was_taken(self, ws, visits):
        def rows():
            for n in itertools.count():
                if n == 25:
                    raise KeyboardInterrupt
                yield {"n": n}

        with pytest.raises(KeyboardInterrupt) as caught:
            ws.events.stream(visits, rows(), flush_rows=10, flush_s=60)
        report = caught.value.report
        assert (report.stored, report.failed, report.interrupted, report.unfinished) == (25, 0, True, True)
        assert numbers(ws, visits) == list(range(25))

    def test_a_batch_that_fails_ends_it(self, ws, visits, server, tokens):
        with faults.FaultProxy(server.host) as proxy:
            client = Workspace(proxy.host, tokens["workspace_admin_token"])
            proxy.on("POST", "/v0/events", None, faults.status(400))
            with pytest.raises(BadRequest) as caught:
                client.events.stream(visits, ({"n": n} for n in itertools.count()), flush_rows=10, flush_s=60)
            report = caught.value.report
            assert report.stored == 10
            assert report.failed >= 10
            assert report.rows_in == report.stored + report.failed
            again = client.events.retry(report)
            assert numbers(ws, visits) == list(range(again.stored))
            assert again.stored == report.rows_in

    def test_cancelled_from_another_thread(self, ws, visits):
        from tinymagic.api.errors import Cancelled
        from tinymagic.api.http.cancelling import Cancellation

        cancellation = Cancellation()
        threading.Timer(0.4, cancellation.cancel).start()

        def rows():
            for n in itertools.count():
                yield {"n": n}
                time.sleep(0.001)

        with pytest.raises(Cancelled) as caught:
            ws.events.stream(visits, rows(), flush_rows=50, cancellation=cancellation)
        report = caught.value.report
        assert report.interrupted
        there = numbers(ws, visits)
        assert there == sorted(set(there))
        assert report.stored <= len(there) <= report.stored + report.unknown

    @pytest.mark.parametrize("rows", [{"n": 1}, "text", 5, b"x"])
    def test_what_is_no_generator(self, ws, visits, rows):
        with pytest.raises(InvalidInput, match="generator"):
            ws.events.stream(visits, rows)
