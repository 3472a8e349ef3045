"""``%tinybird job`` in a real IPython on the embedded server."""

from __future__ import annotations

import itertools
import uuid

import pytest

from tests.integration.file_server import FileServer
from tinymagic import errors

_numbers = itertools.count()


@pytest.fixture
def files():
    """A web server of files to import."""
    started = FileServer()
    yield started
    started.close()


@pytest.fixture
def name(workspace):
    return workspace.datasources.create(f"cmdjob_{next(_numbers)}", "a Int32").name


@pytest.fixture
def imported(api, name, files, connected):
    """Start an import by URL; return the id of its job."""

    def start(file):
        asked = {"mode": "append", "name": name, "url": f"{files.host}/{file}"}
        return api.post("/v0/datasources", params=asked).json()["id"]

    return start


def test_ls(connected, workspace, imported, name):
    done = imported("good.csv")
    workspace.jobs.wait(done)
    frame = connected.ok("%tinybird job ls").value
    assert frame.columns.tolist() == ["id", "kind", "status", "created", "seconds", "pipe", "data source", "error"]
    row = frame[frame.id == done].iloc[0]
    assert (row["kind"], row["status"], row["data source"], row["error"]) == ("import", "done", name, "")
    assert row["seconds"] >= 0
    assert frame.created.is_monotonic_decreasing
    assert done in connected.ok("%tinybird job ls --kind import --kind copy --status done --since 1h").value.id.tolist()
    assert done not in connected.ok("%tinybird job ls --status error,cancelled").value.id.tolist()
    assert done not in connected.ok("%tinybird job ls --since 0s").value.id.tolist()
    assert len(connected.ok("%tinybird job ls --pipe cmdjob_none").value) == 0
    assert len(connected.ok("%tinybird job ls --since 2026-01-01T00:00").value) > 0
    assert "--since takes" in str(connected.run("%tinybird job ls --since whenever").error)
    assert isinstance(connected.run("%tinybird job ls --kind cooking").error, errors.BadRequest)


def test_show(connected, workspace, imported, name):
    job_id = imported("good.csv")
    workspace.jobs.wait(job_id)
    printed = connected.ok(f"%tinybird job show {job_id}").printed
    for part in (job_id, "done", name, "UTC", "append"):
        assert part in printed


def test_wait(connected, imported, files):
    job_id = imported("good.csv")
    assert f"The job {job_id} is done" in connected.ok(f"%tinybird job wait {job_id}").printed
    slow = imported("slow.csv")
    assert isinstance(connected.run(f"%tinybird job wait {slow} --timeout 0.3").error, errors.Timeout)


def test_wait_for_one_that_fails(connected, imported):
    ran = connected.run(f"%tinybird job wait {imported('broken.csv')}")
    assert isinstance(ran.error, errors.JobFailed)
    assert "404" in str(ran.error)


def test_interrupt_ends_the_waiting_only(connected, workspace, imported, files, monkeypatch):
    job_id = imported("slow.csv")
    monkeypatch.setattr(
        "tinymagic.api.http.cancelling.Cancellation.wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    ran = connected.run(f"%tinybird job wait {job_id}")
    monkeypatch.undo()
    assert isinstance(ran.error, KeyboardInterrupt)
    assert f"%tinybird job cancel {job_id}" in ran.printed
    files.released.set()
    assert workspace.jobs.wait(job_id).status == "done"


def test_cancel_and_retry(connected, workspace, imported, files):
    slow = imported("slow.csv")
    assert "cancel" in connected.ok(f"%tinybird job cancel {slow}").printed
    with pytest.raises(errors.JobFailed, match="cancelled"):
        workspace.jobs.wait(slow)
    broken = imported("broken.csv")
    assert connected.run(f"%tinybird job wait {broken}").error is not None
    files.mended = True
    printed = connected.ok(f"%tinybird job retry {broken} --wait").printed
    assert "is done" in printed
    assert broken not in printed
    files.mended = False


@pytest.mark.parametrize("verb", ["show", "wait", "cancel", "retry"])
def test_unknown(connected, verb):
    ran = connected.run(f"%tinybird job {verb} {uuid.uuid4()}")
    assert isinstance(ran.error, errors.NotFound)
    assert "There is no job" in str(ran.error)


def test_what_cannot_be(connected, workspace, imported):
    done = imported("good.csv")
    workspace.jobs.wait(done)
    for verb in ("cancel", "retry"):
        assert isinstance(connected.run(f"%tinybird job {verb} {done}").error, errors.BadRequest)
