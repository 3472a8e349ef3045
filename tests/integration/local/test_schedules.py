"""Schedules of Copy Pipes on a whole server: when they fire, with a clock of the test's own; and once for real.

The fine tests build the services in this process, over a real engine in memory, and put the clock.
"""

from __future__ import annotations

import itertools
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tinymagic import local
from tinymagic.local.access.permissions import Access
from tinymagic.local.catalog import Catalog
from tinymagic.local.engine import Engine
from tinymagic.local.limits import Limits
from tinymagic.local.records import TokenRecord
from tinymagic.local.services import Services
from tinymagic.local.tables.definition import define_table, read_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_numbers = itertools.count()
FINAL = ("done", "error", "cancelled")


class Server:
    """The services of a server without HTTP, whose schedules look only when the test says so."""

    def __init__(self, services: Services, moment: datetime) -> None:
        self.services = services
        self.schedules = services.schedules
        self.schedules.close()  # No thread of its own from now on.
        self.moment = moment
        self.schedules._clock = lambda: self.moment
        self.workspace = services.catalog.workspaces()[0]
        token = TokenRecord("t", self.workspace.id, "admin", "secret", scopes=[{"type": "ADMIN"}])
        self.access = Access(self.workspace, token)
        self.number = next(_numbers)

    def datasource(self, schema: str) -> str:
        name = f"timed_{next(_numbers)}"
        definition = define_table(read_schema(schema), {}, self.services.datasources.expressions)
        self.services.datasources.create(self.workspace, name, definition)
        return name

    def copy(self, sql: str, target: str, **fields: str) -> str:
        name = f"timed_pipe_{next(_numbers)}"
        self.services.pipes.create(self.workspace, name, [{"name": "n", "sql": sql}])
        self.services.pipes.make_output(self.access, name, "n", "copy", {"target_datasource": target, **fields})
        return name

    def at(self, moment: datetime) -> None:
        """Put the clock and look."""
        self.moment = moment
        self.schedules.tick()

    def jobs(self, pipe: str) -> list[dict[str, Any]]:
        """Return the jobs of a Pipe once they are finished, oldest first."""
        found = self.services.jobs.list(self.workspace, kind="copy", pipe_name=pipe)
        for job in found:
            assert self.services.jobs.wait(job.id, 30)
        found = self.services.jobs.list(self.workspace, kind="copy", pipe_name=pipe)
        return [self.services.jobs.view(job, "") for job in reversed(found)]

    def rows(self, name: str) -> list[list[Any]]:
        return self.services.engine.rows(f"SELECT * FROM `{self.workspace.database}`.{name} ORDER BY ALL")


START = datetime(2030, 1, 1, 10, 0, 30, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    engine, catalog = Engine(None), Catalog(None)
    built = Services.build(engine, catalog, Limits())
    yield built
    built.close()
    catalog.close()
    engine.close()


@pytest.fixture
def server(services: Services) -> Server:
    server = Server(services, START)
    server.schedules._looked_at = START
    server.schedules.tick()
    return server


class TestFiring:
    def test_a_due_run_copies_and_knows_its_time(self, server):
        target = server.datasource("at DateTime")
        pipe = server.copy("%\nSELECT {{DateTime(job_timestamp)}} AS at", target, schedule_cron="* * * * *")
        server.at(START)
        assert server.jobs(pipe) == []
        server.at(datetime(2030, 1, 1, 10, 1, 5, tzinfo=timezone.utc))
        [job] = server.jobs(pipe)
        assert job["status"] == "done", job
        assert job["job_timestamp"] == "2030-01-01 10:01:00"
        assert server.rows(target) == [["2030-01-01 10:01:00"]]
        server.at(datetime(2030, 1, 1, 10, 2, 1, tzinfo=timezone.utc))
        server.jobs(pipe)
        assert server.rows(target) == [["2030-01-01 10:01:00"], ["2030-01-01 10:02:00"]]
        server.services.pipes.delete(server.workspace, pipe)

    def test_pause_and_resume(self, server):
        target = server.datasource("id UInt8")
        pipe = server.copy("SELECT 1 AS id", target, schedule_cron="* * * * *")
        server.at(START)
        server.services.copies.pause(server.workspace, pipe, paused=True)
        server.at(START + 5 * MINUTE)
        assert server.jobs(pipe) == []
        server.services.copies.pause(server.workspace, pipe, paused=False)
        server.at(START + 5 * MINUTE)
        assert server.jobs(pipe) == []
        server.at(START + 6 * MINUTE)
        assert len(server.jobs(pipe)) == 1
        assert server.rows(target) == [[1]]
        server.services.pipes.delete(server.workspace, pipe)

    def test_a_deleted_pipe_or_schedule_fires_no_more(self, server):
        target = server.datasource("id UInt8")
        deleted = server.copy("SELECT 1 AS id", target, schedule_cron="* * * * *")
        cleared = server.copy("SELECT 2 AS id", target, schedule_cron="* * * * *")
        server.at(START)
        server.services.pipes.delete(server.workspace, deleted)
        server.services.pipes.make_output(server.access, cleared, "n", "copy", {"schedule_cron": "None"})
        server.at(START + 2 * MINUTE)
        assert server.jobs(deleted) + server.jobs(cleared) == []
        assert server.rows(target) == []

    def test_a_parameter_without_a_default_is_an_error_of_the_job(self, server):
        target = server.datasource("id UInt8")
        pipe = server.copy("%\nSELECT {{UInt8(needed)}} AS id", target, schedule_cron="* * * * *")
        server.at(START)
        server.at(START + MINUTE)
        [job] = server.jobs(pipe)
        assert job["status"] == "error"
        assert "needed" in job["error"]
        assert server.rows(target) == []
        server.services.pipes.delete(server.workspace, pipe)

    def test_a_run_that_is_still_at_work_stands_in_the_way(self, server, caplog):
        target = server.datasource("id UInt8")
        sql = "SELECT toUInt8(1) AS id FROM numbers(1000000000000) WHERE sipHash64(toString(number)) = 1"
        pipe = server.copy(sql, target, schedule_cron="* * * * *", mode="replace")
        server.at(START)
        server.at(START + MINUTE)
        server.at(START + 2 * MINUTE)
        server.at(START + 3 * MINUTE)
        found = server.services.jobs.list(server.workspace, kind="copy", pipe_name=pipe)
        assert len(found) == 1
        assert caplog.text.count("still at work") == 2
        server.services.copies.cancel(server.workspace, pipe)
        assert [job["status"] for job in server.jobs(pipe)] == ["cancelled"]
        server.at(START + 4 * MINUTE)
        assert len(server.jobs(pipe)) == 1  # Cancelling by the Pipe paused it.
        server.services.pipes.delete(server.workspace, pipe)

    def test_once(self, server):
        target = server.datasource("id UInt8")
        pipe = server.copy("SELECT 1 AS id", target, schedule_cron="@once")
        for minutes in range(3):
            server.at(START + minutes * MINUTE)
        assert len(server.jobs(pipe)) == 1
        assert server.rows(target) == [[1]]
        server.services.pipes.delete(server.workspace, pipe)


class Client:
    """Raw HTTP to a server with its administrator token."""

    def __init__(self, server: local.LocalServer) -> None:
        token = requests.get(f"{server.host}/tokens", timeout=10).json()["workspace_admin_token"]
        self.host, self.headers = server.host, {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, **arguments: Any) -> Any:
        reply = requests.request(method, self.host + path, headers=self.headers, timeout=30, **arguments)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def copy(self, name: str, cron: str) -> None:
        self("POST", "/v0/datasources", data={"name": f"{name}_target", "schema": "at DateTime"})
        sql = "%\nSELECT {{DateTime(job_timestamp)}} AS at"
        self("POST", "/v0/pipes", json={"name": name, "nodes": [{"name": "n", "sql": sql}]})
        fields = {"target_datasource": f"{name}_target", "schedule_cron": cron}
        self("POST", f"/v0/pipes/{name}/nodes/n/copy", data=fields)

    def rows(self, name: str) -> list[str]:
        sql = f"SELECT toString(at) FROM {name}_target ORDER BY at FORMAT JSONCompact"
        return [row[0] for row in self("POST", "/v0/sql", data={"q": sql})["data"]]


@pytest.mark.slow
def test_the_real_clock_fires_every_minute_also_after_a_restart(tmp_path: Path) -> None:
    """A schedule of every minute fires within 70 seconds, on the minute; the server was started again meanwhile."""
    folder = tmp_path / "data"
    try:
        client = Client(local.start(path=folder, port=0, with_parent=True))
        client.copy("every", "* * * * *")
        client.copy("paused", "* * * * *")
        client("POST", "/v0/pipes/paused/copy/pause")
        before = client.rows("every")
        local.stop(folder)
        client = Client(local.start(path=folder, port=0, with_parent=True))
        end = time.monotonic() + 70
        while len(client.rows("every")) == len(before):
            assert time.monotonic() < end, "nothing was copied"
            time.sleep(0.5)
        fired = client.rows("every")
        assert all(text.endswith(":00") for text in fired)
        assert len(set(fired)) == len(fired)
        assert client.rows("paused") == []
        assert client("GET", "/v0/pipes/paused")["schedule"]["status"] == "paused"
    finally:
        local.stop(folder)
