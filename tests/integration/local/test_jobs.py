"""Jobs: their life, who sees them, cancel, retry, and what a dead server leaves of them."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
import uuid
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local
from tinymagic.local.access.permissions import Access
from tinymagic.local.catalog import Catalog
from tinymagic.local.errors import BadRequest, NotFound
from tinymagic.local.records import JobRecord, TokenRecord, User, Workspace
from tinymagic.local.services.jobs import KEPT_HOURS, LISTED, WORKERS, JobsService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tinymagic.local.services.running_job import RunningJob

FINAL = ("done", "error", "cancelled")
SILENCE_S = 5
_numbers = itertools.count()


class Handler(BaseHTTPRequestHandler):
    """A web server whose files come when the test says so."""

    protocol_version = "HTTP/1.1"
    released = threading.Event()
    good = False

    def do_GET(self) -> None:
        with contextlib.suppress(OSError):
            getattr(self, "on_" + self.path.strip("/").partition(".")[0])()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def begin(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def on_good(self) -> None:
        self.begin(200, 4)
        self.wfile.write(b"1\n2\n")

    def on_later(self) -> None:
        """Fail until the test says that all is well."""
        self.begin(200 if type(self).good else 503, 4)
        self.wfile.write(b"1\n2\n")

    def on_slow(self) -> None:
        """Send rows now and then."""
        self.begin(200, 1_000_000)
        self.wfile.write(b"1\n" * 1000)
        while not self.released.wait(0.02):
            self.wfile.write(b"1\n")
            self.wfile.flush()
        self.close_connection = True

    def on_silent(self) -> None:
        """Send the half and then nothing for a long time, without closing the connection."""
        self.begin(200, 100)
        self.wfile.write(b"1\n" * 25)
        self.wfile.flush()
        self.released.wait(SILENCE_S)
        self.close_connection = True


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """The address of the web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    Handler.released.set()
    server.shutdown()
    server.server_close()


class House:
    """A server over a folder, and raw HTTP to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Start the server, also again."""
        self.server = local.start(path=self.folder, port=0, with_parent=True)
        with requests.Session() as session:
            self.token = session.get(f"{self.server.host}/tokens", timeout=10).json()["workspace_admin_token"]

    def kill(self) -> None:
        """End the server at once."""
        os.kill(self.server.pid, signal.SIGKILL)
        while any(each.pid == self.server.pid for each in local.running()):
            time.sleep(0.02)

    def request(self, method: str, path: str, *, token: str = "", **arguments: Any) -> requests.Response:
        """Send a request."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        with requests.Session() as session:
            return session.request(method, self.server.host + path, headers=headers, timeout=60, **arguments)

    def append(self, name: str, url: str, *, token: str = "", **parameters: str) -> str:
        """Start an import and return its job's id."""
        given = {"name": name, "mode": "append", "url": url, "format": "csv", **parameters}
        reply = self.request("POST", "/v0/datasources", params=given, token=token)
        assert reply.status_code == 200, reply.text
        found: str = reply.json()["id"]
        return found

    def create(self, name: str) -> str:
        """Make an empty Data Source."""
        reply = self.request("POST", "/v0/datasources", params={"name": name, "schema": "v Int32"})
        assert reply.status_code == 200, reply.text
        return name

    def job(self, job_id: str, **parameters: str) -> dict[str, Any]:
        """Return a job."""
        reply = self.request("GET", f"/v0/jobs/{job_id}", params=parameters)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def wait(self, job_id: str, *statuses: str) -> dict[str, Any]:
        """Wait until a job has one of the statuses; final ones when none is given."""
        deadline = time.monotonic() + 30
        while (job := self.job(job_id))["status"] not in (statuses or FINAL):
            assert time.monotonic() < deadline, job
            time.sleep(0.02)
        return job

    def cancel(self, job_id: str) -> requests.Response:
        """Ask for the end of a job."""
        return self.request("POST", f"/v0/jobs/{job_id}/cancel")

    def count(self, name: str) -> int:
        """Return the rows of a Data Source."""
        reply = self.request("POST", "/v0/sql", data={"q": f"SELECT count() FROM {name}"})
        assert reply.status_code == 200, reply.text
        return int(reply.text)

    def left(self) -> list[str]:
        """Return what lies in the spool and in the staging database."""
        spool = [each.name for each in (self.folder / "spool").iterdir()]
        # No recursive search: the engine makes and removes folders meanwhile.
        metadata = self.folder / "clickhouse" / "metadata" / "_tm_staging"
        return spool + [each.name for each in metadata.resolve().glob("*.sql")]

    def assert_nothing_left(self) -> None:
        """Wait a moment for what is tidied up."""
        deadline = time.monotonic() + 2 * SILENCE_S
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.left() == []


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One server for the tests of this module."""
    folder = tmp_path_factory.mktemp("jobs") / "data"
    yield House(folder)
    local.stop(folder)


@pytest.fixture
def name(house: House) -> str:
    """An empty Data Source."""
    return house.create(f"jobs_{next(_numbers)}")


@pytest.fixture
def busy(house: House, web: str) -> Iterator[list[str]]:
    """Jobs that occupy every worker until the test is over."""
    blocked = house.create(f"jobs_{next(_numbers)}")
    jobs = [house.append(blocked, f"{web}/slow.csv") for _ in range(WORKERS)]
    for job in jobs:
        house.wait(job, "working")
    yield jobs
    for job in jobs:
        house.cancel(job)
    for job in jobs:
        house.wait(job)


class TestCancel:
    def test_waiting(self, house: House, web: str, name: str, busy: list[str]) -> None:
        """A job that waits is cancelled at once and never runs."""
        job_id = house.append(name, f"{web}/good.csv")
        job = house.job(job_id)
        assert (job["status"], job["is_cancellable"], job["started_at"]) == ("waiting", True, None)
        reply = house.cancel(job_id)
        assert (reply.status_code, reply.json()["status"], reply.json()["id"]) == (200, "cancelled", job_id)
        for job_of_busy in busy:
            assert house.cancel(job_of_busy).json()["status"] in ("cancelling", "cancelled")
            assert house.wait(job_of_busy)["status"] == "cancelled"
        again = house.append(name, f"{web}/good.csv")
        assert house.wait(again)["status"] == "done"
        assert house.job(job_id)["status"] == "cancelled"
        assert house.count(name) == 2

    def test_a_file_is_not_kept_waiting_by_urls(self, house: House, name: str, busy: list[str]) -> None:
        """Servers that stall hold up imports by URL only."""
        reply = house.request("POST", f"/v1/datasources/{name}/append", params={"format": "csv"}, data=b"1\n" * 1000)
        assert house.wait(reply.json()["id"])["status"] == "done"
        assert house.count(name) == 1000
        assert [house.job(job_id)["status"] for job_id in busy] == ["working"] * len(busy)
        for job_id in busy:
            house.cancel(job_id)
            house.wait(job_id)
        house.assert_nothing_left()

    @pytest.mark.parametrize("file", ["slow", "silent"])
    @pytest.mark.parametrize("mode", ["append", "replace"])
    def test_downloading(self, house: House, web: str, name: str, file: str, mode: str) -> None:
        """A download is stopped, also one that waits for a silent server."""
        assert house.wait(house.append(name, f"{web}/good.csv"))["status"] == "done"
        job_id = house.append(name, f"{web}/{file}.csv", mode=mode)
        assert house.wait(job_id, "working")["is_cancellable"] is True
        time.sleep(0.2)
        begin = time.monotonic()
        assert house.cancel(job_id).json()["status"] in ("cancelling", "cancelled")
        assert house.wait(job_id)["status"] == "cancelled"
        assert time.monotonic() - begin < SILENCE_S - 1
        assert house.count(name) == 2
        house.assert_nothing_left()

    def test_loading(self, house: House, name: str) -> None:
        """An import that the engine works on is stopped; nothing of it is visible or left."""
        data = b"".join(b"%d\n" % each for each in range(200_000)) * 25
        cancelled = 0
        for delay in (0.0, 0.1, 0.2, 0.3, 0.4):
            reply = house.request("POST", f"/v1/datasources/{name}/append", params={"format": "csv"}, data=data)
            job_id = reply.json()["id"]
            house.wait(job_id, "working", *FINAL)
            time.sleep(delay)
            code = house.cancel(job_id).status_code
            job = house.wait(job_id)
            assert (code, job["status"]) in ((200, "cancelled"), (400, "done"))
            cancelled += job["status"] == "cancelled"
            assert house.count(name) == (0 if job["status"] == "cancelled" else 5_000_000)
            if job["status"] == "done":
                break
        assert cancelled
        house.assert_nothing_left()

    def test_too_late(self, house: House, web: str, name: str) -> None:
        """What is finished cannot be cancelled; what is unknown is not found."""
        job_id = house.append(name, f"{web}/good.csv")
        house.wait(job_id)
        reply = house.cancel(job_id)
        assert reply.status_code == 400
        assert "'done'" in reply.json()["error"]
        assert house.cancel(str(uuid.uuid4())).status_code == 404


class TestRetry:
    def test_failed(self, house: House, web: str, name: str) -> None:
        """A failed import runs again as a new job; the old one stays; a rename in between does no harm."""
        job_id = house.append(name, f"{web}/later.csv")
        assert house.wait(job_id)["status"] == "error"
        assert house.request("PUT", f"/v0/datasources/{name}", data={"name": f"{name}_x"}).status_code == 200
        Handler.good = True
        reply = house.request("POST", f"/v0/jobs/{job_id}/retry")
        assert reply.status_code == 200
        job = house.wait(reply.json()["id"])
        Handler.good = False
        assert job["status"] == "done"
        assert reply.json()["id"] != job_id
        assert house.job(job_id)["status"] == "error"
        assert house.count(f"{name}_x") == 2

    def test_refused(self, house: House, web: str, name: str) -> None:
        """Done jobs, deletions, bodies that are gone, unknown jobs."""
        done = house.append(name, f"{web}/good.csv")
        house.wait(done)
        assert house.request("POST", f"/v0/jobs/{done}/retry").status_code == 400
        reply = house.request("POST", f"/v1/datasources/{name}/append", params={"format": "parquet"}, data="x")
        assert house.wait(reply.json()["id"])["status"] == "error"
        refused = house.request("POST", f"/v0/jobs/{reply.json()['id']}/retry")
        assert refused.status_code == 400
        assert "not kept" in refused.json()["error"]
        assert house.request("POST", f"/v0/jobs/{uuid.uuid4()}/retry").status_code == 404

    def test_scopes_hold(self, house: House, web: str, name: str) -> None:
        """A token that sees all jobs because it makes Pipes cannot import by retrying."""
        made = house.request("POST", "/v0/tokens", params={"name": f"p_{name}", "scope": "PIPES:CREATE"})
        job_id = house.append(name, f"{web}/later.csv")
        house.wait(job_id)
        reply = house.request("POST", f"/v0/jobs/{job_id}/retry", token=made.json()["token"])
        assert reply.status_code == 403


class TestSeeing:
    def test_append_token(self, house: House, web: str, name: str) -> None:
        """It sees the import jobs that it started, whoever else has started how many since."""
        scope = f"DATASOURCES:APPEND:{name}"
        made = house.request("POST", "/v0/tokens", params={"name": f"a_{name}", "scope": scope})
        token = made.json()["token"]
        own = house.append(name, f"{web}/good.csv", token=token)
        others = house.append(name, f"{web}/good.csv")
        for job_id in (own, others):
            house.wait(job_id)
        assert house.request("GET", f"/v0/jobs/{own}", token=token).json()["status"] == "done"
        assert house.request("GET", f"/v0/jobs/{others}", token=token).status_code == 403
        assert house.request("POST", f"/v0/jobs/{others}/cancel", token=token).status_code == 403
        assert [each["id"] for each in house.request("GET", "/v0/jobs", token=token).json()["jobs"]] == [own]
        made = house.request("POST", "/v0/tokens", params={"name": f"r_{name}", "scope": f"DATASOURCES:READ:{name}"})
        assert house.request("GET", "/v0/jobs", token=made.json()["token"]).status_code == 403

    def test_filters(self, house: House, web: str, name: str) -> None:
        """Kind, status and times; the newest is first."""
        good, bad = house.append(name, f"{web}/good.csv"), house.append(name, f"{web}/later.csv")
        deletion = house.request("POST", f"/v0/datasources/{name}/delete", data={"delete_condition": "v = 1"})
        ids = [good, bad, deletion.json()["job_id"]]
        jobs = [house.wait(job_id) for job_id in ids]

        def listed(**filters: str) -> list[str]:
            reply = house.request("GET", "/v0/jobs", params=filters)
            assert reply.status_code == 200, reply.text
            return [each["id"] for each in reply.json()["jobs"]]

        assert listed()[:3] == ids[::-1]
        assert listed(kind="import")[:2] == [bad, good]
        assert listed(kind="import", status="error")[0] == bad
        assert good not in listed(status="error")
        assert listed(kind="copy") == []
        assert listed(pipe_id="t_x") == listed(pipe_name="x") == []
        created = datetime.fromisoformat(jobs[1]["created_at"]).replace(tzinfo=timezone.utc)
        for written in (created.isoformat(), created.isoformat().replace("+", " "), created.isoformat()[:-6] + "Z"):
            assert listed(created_after=written) == ids[:1:-1]
            assert listed(created_before=written)[0] == good
        elsewhere = created.astimezone(timezone(timedelta(hours=2))).isoformat()
        assert listed(created_after=elsewhere) == ids[:1:-1]
        for bad_filter in ({"kind": "nope"}, {"status": "nope"}, {"created_after": "yesterday"}):
            assert house.request("GET", "/v0/jobs", params=bad_filter).status_code == 400

    def test_other_workspace(self, api: Any, tokens: dict[str, str]) -> None:
        """A job of another workspace is not found."""
        made = api.post("/v1/workspaces", params={"name": f"jobs_{uuid.uuid4().hex}"}, token=tokens["user_token"])
        other = made.json()["token"]
        api.post("/v0/datasources", params={"name": "jobs_there", "schema": "v Int32"})
        job_id = api.post("/v1/datasources/jobs_there/append", data="1\n").json()["id"]
        for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry")):
            assert api.request(method, f"/v0/jobs/{job_id}{path}", token=other).status_code == 404
        assert api.get("/v0/jobs", token=other).json() == {"jobs": []}


class TestLog:
    def test_jobs_log(self, house: House, web: str, name: str) -> None:
        """Every end is in tinybird.jobs_log."""
        ids = {house.append(name, f"{web}/{file}.csv"): file for file in ("good", "later", "slow")}
        for job_id, file in ids.items():
            if file == "slow":
                house.wait(job_id, "working")
                house.cancel(job_id)
            house.wait(job_id)
        found = ", ".join(f"'{each}'" for each in ids)
        q = f"SELECT job_id, status, job_type, error FROM tinybird.jobs_log FINAL WHERE job_id IN ({found})"
        reply = house.request("POST", "/v0/sql", data={"q": f"{q} FORMAT JSONCompact"})
        logged = {row[0]: row[1:] for row in reply.json()["data"]}
        by_file = {file: logged[job_id] for job_id, file in ids.items()}
        assert by_file["good"] == ["done", "import", None]
        assert by_file["later"][:2] == ["error", "import"]
        assert "503" in by_file["later"][2]
        assert by_file["slow"] == ["cancelled", "import", None]


class TestRestart:
    def test_kill(self, house: House, web: str) -> None:
        """Finished jobs survive; one that ran or waited says that the server ended; the Data Source is unharmed."""
        name = house.create("jobs_killed")
        done = house.append(name, f"{web}/good.csv")
        house.wait(done)
        running = [house.append(name, f"{web}/slow.csv", mode=mode) for mode in ("append", "replace") * 2]
        for job_id in running:
            house.wait(job_id, "working")
        waiting = house.append(name, f"{web}/good.csv")
        house.kill()
        house.start()
        assert house.job(done)["status"] == "done"
        for job_id, word in (*((each, "working") for each in running), (waiting, "waiting")):
            job = house.job(job_id)
            assert (job["status"], job["is_cancellable"]) == ("error", False)
            assert f"The server ended while this job was {word}" in job["error"]
        assert house.count(name) == 2
        assert house.left() == []
        again = house.request("POST", f"/v0/jobs/{waiting}/retry").json()["id"]
        assert house.wait(again)["status"] == "done"
        assert house.count(name) == 4


class TestService:
    """The service alone, with a catalogue in memory."""

    @pytest.fixture
    def catalog(self) -> Iterator[Catalog]:
        """A catalogue with one workspace."""
        catalog = Catalog(None)
        catalog.create_user(User("u", "user@example.com"))
        catalog.create_workspace(Workspace("w", "first", "w_1"))
        catalog.create_workspace(Workspace("x", "second", "w_2"))
        yield catalog
        catalog.close()

    @pytest.fixture
    def service(self, catalog: Catalog) -> JobsService:
        """The service; nothing here needs an engine."""

        class NoEngine:
            work = staticmethod(lambda name: contextlib.nullcontext())
            cancel_work = staticmethod(lambda name: None)

        return JobsService(catalog, NoEngine())  # type: ignore[arg-type]

    @pytest.fixture
    def workspace(self, catalog: Catalog) -> Workspace:
        """The first workspace."""
        return catalog.workspaces()[0]

    def add(self, catalog: Catalog, hours: float, **changes: Any) -> JobRecord:
        """Write down a finished job of some hours ago."""
        moment = (datetime.now(timezone.utc) - timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S.%f")
        job = JobRecord(str(uuid.uuid4()), "w", moment, "import", status="done", updated_at=moment)
        return catalog.create_job(replace(job, **changes))

    def test_window(self, catalog: Catalog, service: JobsService, workspace: Workspace) -> None:
        """Two days and a hundred jobs, the newest first; older ones are not found by their id either."""
        old = self.add(catalog, KEPT_HOURS + 0.1)
        young = self.add(catalog, KEPT_HOURS - 0.1)
        assert [each.id for each in service.list(workspace)] == [young.id]
        assert service.list(workspace, created_after="2000-01-01") == [young]
        with pytest.raises(NotFound):
            service.get(workspace, old.id)
        with pytest.raises(NotFound):
            service.cancel(workspace, old.id)
        made = [self.add(catalog, 1 - each / 1000) for each in range(LISTED + 20)]
        assert [each.id for each in service.list(workspace)] == [each.id for each in made[: -LISTED - 1 : -1]]
        assert service.list(workspace, may_see=lambda job: job.id == young.id) == [young]
        assert service.list(catalog.workspaces()[1]) == []

    def test_old_jobs_are_forgotten(self, catalog: Catalog, service: JobsService, workspace: Workspace) -> None:
        """The catalogue does not grow for ever."""
        for _ in range(3):
            self.add(catalog, 3 * KEPT_HOURS)
        job = service.start(workspace, "import", lambda job: None)
        assert service.wait(job.id, 10)
        assert [each.id for each in catalog.jobs("w", created_after="")] == [job.id]

    @pytest.mark.parametrize("status", ["waiting", "working", "cancelling"])
    def test_interrupted(self, catalog: Catalog, workspace: Workspace, status: str, service: JobsService) -> None:
        """What a dead server left unfinished ends with a sentence."""
        job = self.add(catalog, 1, status=status)
        ended = JobsService(catalog, service._engine).get(workspace, job.id)
        assert ended.status == "error"
        assert status in ended.error

    def test_cancelled_in_the_queue(self, service: JobsService, workspace: Workspace) -> None:
        """It never runs, and what was kept for it is discarded."""
        hold, ran, discarded = threading.Event(), threading.Event(), threading.Event()
        busy = [service.start(workspace, "import", lambda job: hold.wait(10)) for _ in range(WORKERS)]  # type: ignore[func-returns-value,arg-type,misc]
        job = service.start(workspace, "import", lambda job: ran.set(), discard=discarded.set)
        assert service.cancel(workspace, job.id).status == "cancelled"
        hold.set()
        for each in busy:
            assert service.wait(each.id, 10)
        assert discarded.wait(10)
        assert not ran.is_set()

    def test_a_crash_at_the_last_step(self, catalog: Catalog, workspace: Workspace, service: JobsService) -> None:
        """Nobody can say whether its rows are there, so it says that, and is not run again by itself."""
        written, released = threading.Event(), threading.Event()

        def work(job: RunningJob) -> None:
            job.commit()
            written.set()
            released.wait(10)

        job = service.start(workspace, "import", work, internals={"parameters": {"url": "http://localhost/a.csv"}})
        assert written.wait(10)
        restarted = JobsService(catalog, service._engine)
        found = restarted.get(workspace, job.id)
        assert found.status == "error"
        assert "may be stored" in found.error
        with pytest.raises(BadRequest, match="may be stored"):
            restarted.retry(Access(workspace, TokenRecord("t", workspace.id, "t", "t", [{"type": "ADMIN"}])), job.id)
        released.set()
        assert service.wait(job.id, 10)

    def test_work_that_fails(self, service: JobsService, workspace: Workspace) -> None:
        """An error for the user is told with its details, a mistake of ours without them."""

        def refuse(_: object) -> None:
            raise BadRequest("No.", errors=["first"])

        def mistake(_: object) -> None:
            raise KeyError("secret")

        refused, failed = (service.start(workspace, "import", work) for work in (refuse, mistake))
        assert service.wait(refused.id, 10)
        assert service.wait(failed.id, 10)
        job = service.get(workspace, refused.id)
        assert (job.status, job.error, job.errors) == ("error", "No.", ["first"])
        job = service.get(workspace, failed.id)
        assert job.status == "error"
        assert "secret" not in job.error

    def test_commit_decides(self, service: JobsService, workspace: Workspace) -> None:
        """Until the commit a job can be cancelled, then not any more; never both."""
        results = set()
        for delay in (0, 0.001, 0.002, 0.01, 0.05) * 3:
            committed = threading.Event()

            def work(job: Any, committed: threading.Event = committed) -> None:
                for _ in range(10):
                    time.sleep(0.001)
                    job.check()
                job.commit()
                committed.set()
                time.sleep(0.05)

            job = service.start(workspace, "import", work)
            time.sleep(delay)
            try:
                service.cancel(workspace, job.id)
                expected = "cancelled"
            except BadRequest:
                expected = "done"
            assert service.wait(job.id, 10)
            assert service.get(workspace, job.id).status == expected
            assert committed.is_set() == (expected == "done")
            results.add(expected)
        assert results == {"done", "cancelled"}

    def test_discard(self, service: JobsService, workspace: Workspace) -> None:
        """What a job that is cancelled in the queue had brought is taken away, and only then."""
        block = threading.Event()
        blockers = [service.start(workspace, "import", lambda job: block.wait(10) and None) for _ in range(WORKERS)]
        discarded: list[str] = []

        def discard(which: str) -> Callable[[], None]:
            return lambda: discarded.append(which)

        first = service.start(workspace, "import", lambda job: None, discard=discard("first"))
        second = service.start(workspace, "import", lambda job: None, discard=discard("second"))
        service.cancel(workspace, first.id)
        block.set()
        for job in (*blockers, second):
            assert service.wait(job.id, 10)
        assert discarded == ["first"]
        assert service.get(workspace, second.id).status == "done"
