"""Jobs: shapes that are read, requests that are sent, and waiting."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.api.errors import BadReply, Cancelled, JobFailed, Timeout
from tinymagic.api.jobs import Job
from tinymagic.api.progress import Progress

#: A description with every common field of jobs.md section 5.
DESCRIBED = {
    "id": "j-1",
    "job_id": "j-1",
    "kind": "import",
    "status": "done",
    "created_at": "2026-01-02 03:04:05.123456",
    "started_at": "2026-01-02 03:04:06.000001",
    "updated_at": "2026-01-02 03:04:09.654321",
    "is_cancellable": False,
    "job_url": "https://api.example/v0/jobs/j-1",
    "mode": "append",
    "datasource": {"id": "t_1", "name": "events"},
    "statistics": {"bytes": 1024, "row_count": 20},
    "quarantine_rows": 1,
    "invalid_lines": 2,
    "new_in_2027": {"a": 1},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*DESCRIBED, "job", "x"]), inner),
    max_leaves=12,
)


class TestShapes:
    def test_everything(self):
        job = Job.of(DESCRIBED)
        assert (job.id, job.kind, job.status, job.datasource_name) == ("j-1", "import", "done", "events")
        assert job.created_at == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=timezone.utc)
        assert (job.statistics.bytes, job.statistics.row_count) == (1024, 20)
        assert (job.quarantine_rows, job.invalid_lines, job.is_cancellable) == (1, 2, False)
        assert job.raw["new_in_2027"] == {"a": 1}
        assert (job.finished, job.failed, job.share_done) == (True, False, 100.0)

    @pytest.mark.parametrize(
        "reply",
        [
            {"id": "t_node", "job": {"job_id": "1", "id": "2"}},
            {"job": {"id": "1"}},
            {"job_id": "1", "id": "1"},
            {"id": "1"},
            {"import_id": "1"},
            {"id": 1},
        ],
    )
    def test_where_the_id_is(self, reply):
        assert Job.of(reply).id == "1"

    @pytest.mark.parametrize(
        ("status", "finished", "failed"),
        [
            ("waiting", False, False),
            ("working", False, False),
            ("cancelling", False, False),
            ("done", True, False),
            ("error", True, True),
            ("cancelled", True, True),
            ("canceled", True, True),
            ("Done", True, False),
            ("queued", False, False),
            ("", False, False),
            (None, False, False),
        ],
    )
    def test_statuses(self, status, finished, failed):
        job = Job.of({"id": "1", "status": status})
        assert (job.finished, job.failed) == (finished, failed)

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            ({"status": "error", "error": "boom"}, "boom"),
            ({"status": "error", "error": True}, "it did not say why"),
            ({"status": "error"}, "it did not say why"),
            ({"status": "done", "error": False}, None),
            ({"status": "done", "error": ""}, None),
        ],
    )
    def test_error_may_be_a_flag_or_absent(self, reply, error):
        assert Job.of(reply).error == error

    @pytest.mark.parametrize(
        ("errors", "read"),
        [(["a", "b"], ("a", "b")), ([{"error": "a"}], ("a",)), ("a", ("a",)), (None, ()), (False, ()), ([], ())],
    )
    def test_errors(self, errors, read):
        assert Job.of({"errors": errors}).errors == read

    def test_progress_by_the_blocks_of_an_import(self):
        log = [{"status": "done"}, {"status": "idle"}, {"status": "processing"}, {"status": "done"}]
        assert Job.of({"status": "working", "block_log": log}).share_done == 50
        assert Job.of({"status": "working", "progress_percentage": "12.5"}).share_done == 12.5
        assert Job.of({"status": "working"}).share_done is None

    @given(st.dictionaries(st.sampled_from([*DESCRIBED, "job", "errors", "error", "block_log"]), json_values))
    def test_any_json_is_read(self, reply):
        job = Job.of(reply)
        assert isinstance(job.sentence(), str)
        assert isinstance(job.id, str)
        assert job.share_done is None or isinstance(job.share_done, float)


class TestRequests:
    def test_list_asks_once_for_each_pair(self, ws, server):
        server.on("/v0/jobs", server.answer({"jobs": [{"id": "1", "created_at": "2026-01-01 00:00:00"}, {"id": "2"}]}))
        assert [job.id for job in ws.jobs.list(kind=["copy", "sink"], status=["done", "error"])] == ["1", "2"]
        asked = [(each.query["kind"], each.query["status"]) for each in server.seen]
        assert asked == [("copy", "done"), ("copy", "error"), ("sink", "done"), ("sink", "error")]

    def test_list_without_filters(self, ws, server):
        server.on("/v0/jobs", server.answer({"jobs": None}))
        assert ws.jobs.list() == []
        assert server.seen[0].query == {}

    def test_newest_first_without_dates_last(self, ws, server):
        jobs = [{"id": "0"}, {"id": "1", "created_at": "2026-01-01 00:00:00"}, {"id": "2", "created_at": "2026-02-01"}]
        server.on("/v0/jobs", server.answer({"jobs": jobs}))
        assert [job.id for job in ws.jobs.list()] == ["2", "1", "0"]

    def test_times_are_sent_in_utc(self, ws, server):
        server.on("/v0/jobs", server.answer({"jobs": []}))
        ws.jobs.list(created_after=datetime(2026, 1, 2, 3), created_before="2026-02-01")  # noqa: DTZ001
        assert server.seen[0].query == {"created_after": "2026-01-02T03:00:00.000000Z", "created_before": "2026-02-01"}

    def test_ids_are_quoted(self, ws, server):
        server.on("/v0/jobs/a%2Fb/cancel", server.answer({"status": "cancelling"}))
        assert ws.jobs.cancel("a/b").id == "a/b"
        assert server.seen[0].method == "POST"


class TestWaiting:
    def test_progress(self, ws, server):
        steps = [{"status": "waiting"}, {"status": "working", "progress_percentage": 40}, {"status": "done"}]
        server.on("/v0/jobs/1", *map(server.answer, steps))
        told = []
        ws.jobs.wait("1", on_progress=told.append)
        assert told == [Progress(40.0, 100.0, "%"), Progress(100.0, 100.0, "%")]
        assert server.seen[0].query == {"debug": "blocks,block_log"}

    def test_a_job_that_is_over_is_looked_at_once(self, ws, server):
        server.on("/v0/jobs/1", server.answer({"job": {"id": "1", "status": "done"}}))
        assert ws.jobs.wait(Job("1")).id == "1"
        assert len(server.seen) == 1

    def test_failure(self, ws, server):
        server.on("/v0/jobs/1", server.answer({"id": "1", "status": "error", "error": "no room", "errors": ["disk"]}))
        with pytest.raises(JobFailed, match="no room") as raised:
            ws.jobs.wait("1")
        assert "disk" in str(raised.value)
        assert raised.value.job.failed

    def test_pauses_grow(self, ws, server, monkeypatch):
        server.on("/v0/jobs/1", *[server.answer({"status": "working"})] * 12, server.answer({"status": "done"}))
        pauses = []
        monkeypatch.setattr(
            "tinymagic.api.http.cancelling.Cancellation.wait", lambda _, seconds: pauses.append(seconds)
        )
        ws.jobs.wait("1")
        assert pauses[0] == 0.1
        assert pauses == sorted(pauses)
        assert pauses[-1] == 2.0

    def test_time_out(self, ws, server):
        server.on("/v0/jobs/1", server.answer({"status": "odd"}))
        started = time.monotonic()
        with pytest.raises(Timeout, match="odd"):
            ws.jobs.wait("1", timeout_s=0.3)
        assert time.monotonic() - started < 2

    def test_cancelled_while_the_service_is_silent(self, ws, server):
        import threading

        from tinymagic.api.http.cancelling import Cancellation

        server.on("/v0/jobs/1", server.Answer(how="slow", seconds=10))
        cancellation = Cancellation()
        timer = threading.Timer(0.2, cancellation.cancel)
        timer.start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            ws.jobs.wait("1", cancellation=cancellation)
        timer.join()
        assert time.monotonic() - started < 5

    def test_a_page_is_no_job(self, ws, server):
        server.on("/v0/jobs/1", server.Answer(body=b"<html>hello", headers={"Content-Type": "text/html"}))
        with pytest.raises(BadReply):
            ws.jobs.wait("1")
