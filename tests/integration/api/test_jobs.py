"""The client of ``/v0/jobs``: list, get, wait, cancel, retry, and what goes wrong."""

from __future__ import annotations

import contextlib
import itertools
import threading
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from tests.faults import html_page, reset_after, status
from tests.integration.file_server import FileServer
from tinymagic import errors
from tinymagic.api.http.cancelling import Cancellation

_numbers = itertools.count()


def new(kind="ds"):
    """A name that no other test has."""
    return f"apijobs_{kind}_{next(_numbers)}"


@pytest.fixture
def files():
    """A web server of files to import."""
    started = FileServer()
    yield started
    started.close()


@pytest.fixture
def jobs(workspace):
    return workspace.jobs


@pytest.fixture
def imported(api, workspace, files):
    """Start an import of a file by URL; return the id of its job."""

    def start(file, into=None):
        name = into or workspace.datasources.create(new(), "a Int32").name
        asked = {"mode": "append", "name": name, "url": f"{files.host}/{file}"}
        reply = api.post("/v0/datasources", params=asked)
        assert reply.status_code == 200, reply.text
        return reply.json()["id"]

    return start


class TestListAndGet:
    def test_get(self, jobs, imported, files):
        job_id = imported("slow.csv")
        job = jobs.get(job_id)
        assert (job.id, job.kind) == (job_id, "import")
        assert job.status in ("waiting", "working")
        assert not job.finished
        assert job.created_at.tzinfo is not None
        assert job.url.endswith(job_id)
        files.released.set()
        done = jobs.wait(job_id)
        assert done.status == "done"
        assert done.datasource_name.startswith("apijobs_ds")
        assert done.statistics.row_count == 2
        assert (done.quarantine_rows, done.invalid_lines, done.errors, done.error) == (0, 0, (), None)
        assert done.started_at <= done.updated_at

    def test_debug_has_the_blocks(self, jobs, imported):
        job_id = imported("good.csv")
        jobs.wait(job_id)
        assert "blocks" in jobs.get(job_id, debug=True).raw
        assert "blocks" not in jobs.get(job_id).raw

    def test_list_with_filters(self, jobs, imported, workspace):
        before = datetime.now(timezone.utc) - timedelta(seconds=1)
        name = workspace.datasources.create(new(), "a Int32").name
        one = imported("good.csv", name)
        jobs.wait(one)
        two = workspace.datasources.delete_rows(name, "a = 1").id
        both = {one, two}
        assert [job.id for job in jobs.list() if job.id in both] == [two, one]
        assert both & {job.id for job in jobs.list(kind="import")} == {one}
        assert both & {job.id for job in jobs.list(kind=["import", "delete_data"], status=["done", "error"])} == both
        assert both & {job.id for job in jobs.list(status="error")} == set()
        assert both <= {job.id for job in jobs.list(created_after=before)}
        assert both & {job.id for job in jobs.list(created_before=before)} == set()
        assert both & {job.id for job in jobs.list(created_after=before.replace(tzinfo=None))} == both
        assert jobs.list(pipe_name="apijobs_none") == []
        assert jobs.list(pipe_id="t_none") == []

    def test_jobs_of_a_pipe(self, jobs, workspace):
        target = workspace.datasources.create(new(), "n UInt64").name
        pipe = workspace.pipes.create(new("pipe"), "SELECT number AS n FROM numbers(3)")
        workspace.copies.create(pipe.name, pipe.nodes[0].name, target)
        job = workspace.copies.run(pipe.name)
        done = jobs.wait(job)
        assert (done.kind, done.pipe_name) == ("copy", pipe.name)
        assert [each.id for each in jobs.list(pipe_name=pipe.name)] == [job.id]
        assert [each.id for each in jobs.list(pipe_id=pipe.id)] == [job.id]

    def test_a_kind_that_there_is_not(self, jobs):
        with pytest.raises(errors.BadRequest):
            jobs.list(kind="cooking")
        with pytest.raises(errors.BadRequest):
            jobs.list(status="asleep")
        with pytest.raises(errors.BadRequest):
            jobs.list(created_after="yesterday")

    @pytest.mark.parametrize("call", ["get", "cancel", "retry", "wait"])
    def test_unknown(self, jobs, call):
        with pytest.raises(errors.NotFound):
            getattr(jobs, call)(str(uuid.uuid4()))
        with pytest.raises(errors.InvalidInput):
            getattr(jobs, call)("")

    @pytest.mark.parametrize("call", ["get", "cancel", "retry"])
    def test_a_token_sees_only_its_own(self, jobs, imported, limited, workspace, call):
        job_id = imported("good.csv")
        jobs.wait(job_id)
        other = workspace.datasources.create(new(), "a Int32").name
        with pytest.raises(errors.Forbidden):
            getattr(limited(f"DATASOURCES:APPEND:{other}").jobs, call)(job_id)
        with pytest.raises(errors.Forbidden):
            limited(f"DATASOURCES:READ:{other}").jobs.list()


class TestWait:
    def test_success_and_progress(self, jobs, imported):
        told = []
        job = jobs.wait(imported("good.csv"), on_progress=told.append)
        assert job.status == "done"
        assert (told[-1].done, told[-1].total, told[-1].unit) == (100.0, 100.0, "%")

    def test_failure_has_the_jobs_own_words(self, jobs, imported):
        job_id = imported("broken.csv")
        with pytest.raises(errors.JobFailed, match="404") as raised:
            jobs.wait(job_id)
        assert raised.value.job.id == job_id
        assert job_id in str(raised.value)
        assert raised.value.job.error in str(raised.value)
        assert raised.value.job.failed

    def test_a_cancelled_job(self, jobs, imported):
        job_id = imported("slow.csv")
        jobs.cancel(job_id)
        with pytest.raises(errors.JobFailed, match="cancelled") as raised:
            jobs.wait(job_id)
        assert raised.value.job.status == "cancelled"

    def test_time_out(self, jobs, imported, files):
        job_id = imported("slow.csv")
        with pytest.raises(errors.Timeout, match="goes on"):
            jobs.wait(job_id, timeout_s=0.5)
        files.released.set()
        assert jobs.wait(job_id, timeout_s=20).status == "done"

    def test_cancellation_from_another_thread(self, jobs, imported):
        job_id = imported("slow.csv")
        cancellation = Cancellation()
        timer = threading.Timer(0.5, cancellation.cancel)
        timer.start()
        with pytest.raises(errors.Cancelled):
            jobs.wait(job_id, cancellation=cancellation)
        timer.join()
        assert jobs.get(job_id).status in ("waiting", "working")

    def test_statuses_that_are_not_known_are_not_final(self, behind, proxy, imported):
        job_id = imported("good.csv")
        odd = [says_status(each) for each in ("queued", "", "CANCELLING")]
        proxy.on("GET", f"/v0/jobs/{job_id}", *odd)
        assert behind.jobs.wait(job_id).status == "done"
        assert len(proxy.passed("GET", f"/v0/jobs/{job_id}")) >= 4

    def test_what_passes_is_waited_out(self, behind, proxy, imported):
        job_id = imported("good.csv")
        proxy.on("GET", f"/v0/jobs/{job_id}", reset_after(), status(429, retry_after=0.01), html_page(502), None)
        assert behind.jobs.wait(job_id).status == "done"


def says_status(word):
    """A reply of the proxy with a status of a job."""
    from dataclasses import replace

    return replace(status(200), body=b'{"id": "j", "status": "%s"}' % word.encode())


class TestCancel:
    def test_cancel(self, jobs, imported):
        job_id = imported("slow.csv")
        assert jobs.cancel(job_id).status in ("cancelling", "cancelled")

    def test_what_is_over(self, jobs, imported):
        job_id = imported("good.csv")
        jobs.wait(job_id)
        with pytest.raises(errors.BadRequest):
            jobs.cancel(job_id)

    def test_a_lost_reply(self, behind, proxy, jobs, imported):
        """Asked again: by then it is over, which the service says; either way it is cancelled."""
        job_id = imported("slow.csv")
        proxy.on("POST", f"/v0/jobs/{job_id}/cancel", reset_after())
        with contextlib.suppress(errors.BadRequest):
            behind.jobs.cancel(job_id)
        with pytest.raises(errors.JobFailed):
            jobs.wait(job_id)


class TestRetry:
    def test_a_new_job(self, jobs, imported, files):
        old = imported("broken.csv")
        with pytest.raises(errors.JobFailed):
            jobs.wait(old)
        files.mended = True
        again = jobs.retry(old)
        assert again.id not in ("", old)
        assert jobs.wait(again).status == "done"
        assert jobs.get(old).status == "error"

    def test_what_went_well(self, jobs, imported):
        job_id = imported("good.csv")
        jobs.wait(job_id)
        with pytest.raises(errors.BadRequest):
            jobs.retry(job_id)

    def test_a_lost_reply_is_not_asked_again(self, behind, proxy, jobs, imported):
        old = imported("broken.csv")
        with pytest.raises(errors.JobFailed):
            jobs.wait(old)
        proxy.on("POST", f"/v0/jobs/{old}/retry", reset_after())
        with pytest.raises(errors.ConnectionFailed):
            behind.jobs.retry(old)
        assert len(proxy.passed("POST", f"/v0/jobs/{old}/retry")) == 1
