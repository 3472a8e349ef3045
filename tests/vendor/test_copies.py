"""Copy Pipes with the vendor's command lines: pushed, run, paused, resumed, changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.vendor.conftest import Program, Server

pytestmark = pytest.mark.slow

PIPE = """DESCRIPTION every night

NODE filtered
SQL >
    %
    SELECT carrier, delay FROM {source} WHERE delay >= {{{{Int16(least, 0)}}}}

NODE copier
SQL >
    SELECT carrier, sum(delay) AS delay FROM filtered GROUP BY carrier

TYPE copy
TARGET_DATASOURCE {target}
COPY_SCHEDULE {schedule}
COPY_MODE {mode}
"""


class Project:
    """A source with three flights, an empty target, and a Copy Pipe between them."""

    def __init__(self, server: Server, tb: Program, name: str) -> None:
        self.server, self.tb, self.name = server, tb, name
        server.create(f"{name}_from")
        server.fill(f"{name}_from")
        server.create(f"{name}_to", "carrier String, delay Int64")

    def push(self, *options: str, schedule: str = "0 3 * * *", mode: str = "append", code: int = 0) -> str:
        text = PIPE.format(source=f"{self.name}_from", target=f"{self.name}_to", schedule=schedule, mode=mode)
        file = self.tb.write(f"pipes/{self.name}.pipe", text)
        return self.tb("push", file, *options, code=code)

    @property
    def pipe(self) -> dict[str, Any]:
        found: dict[str, Any] = self.server.request("GET", f"/v0/pipes/{self.name}").json()
        return found

    @property
    def rows(self) -> list[list[Any]]:
        return self.server.rows(f"SELECT carrier, delay FROM {self.name}_to ORDER BY ALL")


@pytest.fixture(scope="module")
def pushed(server: Server, tb_classic: Program) -> Project:
    """A project whose Copy Pipe the Classic command line has pushed."""
    project = Project(server, tb_classic, "copied")
    assert "'copied' created" in project.push()
    return project


def test_classic_push(pushed: Project) -> None:
    """A pushed Copy Pipe has target, mode and schedule of its file."""
    pipe = pushed.pipe
    assert [node["node_type"] for node in pipe["nodes"]] == ["standard", "copy"]
    assert pipe["schedule"] == {"timezone": "Etc/UTC", "cron": "0 3 * * *", "status": "running"}
    assert pipe["copy_mode"] == "append"
    assert pipe["description"] == "every night"


def test_classic_run(pushed: Project) -> None:
    """A run that is waited for has copied the rows, with parameters and another mode too."""
    tb = pushed.tb
    assert "Data copied to 'copied_to'" in tb("pipe", "copy", "run", "copied", "--wait", "--yes")
    assert pushed.rows == [["AA", 5], ["UA", 7]]
    tb("pipe", "copy", "run", "copied", "--wait", "--yes", "--mode", "replace", "--param", "least=6")
    assert pushed.rows == [["UA", 7]]
    output = tb("pipe", "copy", "run", "copied", "--wait", "--yes", "--param", "least=x", code=1)
    assert "Error validating 'x' to type Int16" in output
    assert "Pipe 'nothing' not found" in tb("pipe", "copy", "run", "nothing", "--yes", code=1)


def test_classic_pause_and_resume(pushed: Project) -> None:
    """The schedule is paused and runs again."""
    assert "paused" in pushed.tb("pipe", "copy", "pause", "copied")
    assert pushed.pipe["schedule"]["status"] == "paused"
    assert "resumed" in pushed.tb("pipe", "copy", "resume", "copied")
    assert pushed.pipe["schedule"]["status"] == "running"


def test_classic_push_again(pushed: Project) -> None:
    """Pushing another schedule and mode changes them; what cannot be leaves the Pipe as it was."""
    before = pushed.pipe["id"]
    pushed.push("--force", "--yes", schedule="@on-demand", mode="replace")
    assert (pushed.pipe["id"], pushed.pipe["schedule"], pushed.pipe["copy_mode"]) == (before, None, "replace")
    assert "Invalid cron expression: '0 0 0'" in pushed.push("--force", "--yes", schedule="0 0 0", code=1)
    assert "Invalid MODE expression" in pushed.push("--force", "--yes", mode="upsert", code=1)
    assert pushed.pipe["copy_mode"] == "replace"
    pushed.push("--force", "--yes", schedule="@hourly")
    assert pushed.pipe["schedule"]["cron"] == "@hourly"


def test_classic_refuses_another_schema(server: Server, tb_classic: Program) -> None:
    """The vendor's sentence arrives, with the column in question."""
    server.create("copied_short", "carrier String")
    text = PIPE.format(source="copied_from", target="copied_short", schedule="@on-demand", mode="append")
    file = tb_classic.write("pipes/copied_wrong.pipe", text)
    output = tb_classic("push", file, code=1)
    assert "Destination data source doesn't have a compatible schema." in output
    assert "'delay'" in output
    assert server.request("GET", "/v0/pipes/copied_wrong").status_code == 404


def test_classic_diff(pushed: Project) -> None:
    """The server's datafile says what the pushed one says."""
    for schedule in ("@on-demand", "*/5 1 * * *"):
        pushed.push("--force", "--yes", schedule=schedule, mode="replace")
        output = pushed.tb("diff", f"pipes/{pushed.name}.pipe", "--no-color")
        assert not [line for line in output.splitlines() if line.startswith(("+", "-"))], output


def test_forward_deploy(pushed: Project, tb_forward: Program) -> None:
    """A Copy Pipe that a deployment made can be run."""
    server = pushed.server
    schema = "SCHEMA >\n    `carrier` String,\n    `delay` Int64\n\nENGINE MergeTree\nENGINE_SORTING_KEY carrier\n"
    for name in ("copied_deployed_from", "copied_deployed_to"):
        tb_forward.write(f"datasources/{name}.datasource", schema)
    text = PIPE.format(source="copied_deployed_from", target="copied_deployed_to", schedule="@hourly", mode="append")
    tb_forward.write("copies/copied_deployed.pipe", text)
    tb_forward("deploy", "--wait", "--allow-destructive-operations")
    assert server.request("GET", "/v0/pipes/copied_deployed").json()["schedule"]["cron"] == "@hourly"
    server.fill("copied_deployed_from", "carrier,delay\nWN,4\nWN,5\n")
    assert "Data copied" in tb_forward("copy", "run", "copied_deployed", "--wait")
    assert server.rows("SELECT carrier, delay FROM copied_deployed_to") == [["WN", 9]]


def test_forward(pushed: Project, tb_forward: Program) -> None:
    """The Forward command line lists, runs, pauses and resumes it."""
    assert "copied" in tb_forward("copy", "ls")
    output = tb_forward("copy", "run", "copied", "--wait", "--mode", "replace", "--param", "least=-10")
    assert "Data copied to 'copied_to'" in output
    assert pushed.rows == [["AA", 5], ["DL", -3], ["UA", 7]]
    tb_forward("copy", "pause", "copied")
    assert pushed.pipe["schedule"]["status"] == "paused"
    tb_forward("copy", "resume", "copied")
    assert pushed.pipe["schedule"]["status"] == "running"
    assert "kind: copy" in tb_forward("job", "ls", "--kind", "copy")


def test_a_failed_run_is_told(server: Server, tb_classic: Program, tb_forward: Program) -> None:
    """A value that does not convert ends the job, and both command lines say why."""
    server.create("copied_texts", "delay String")
    server.fill("copied_texts", "delay\nmuch\n")
    server.create("copied_numbers", "delay Int16")
    text = "NODE n\nSQL >\n    SELECT delay FROM copied_texts\n\nTYPE copy\nTARGET_DATASOURCE copied_numbers\n"
    tb_classic("push", tb_classic.write("pipes/copied_failing.pipe", text))
    assert "Cannot parse" in tb_classic("pipe", "copy", "run", "copied_failing", "--wait", "--yes", code=1)
    assert "Cannot parse" in tb_forward("copy", "run", "copied_failing", "--wait", code=1)
    assert server.rows("SELECT count() FROM copied_numbers") == [[0]]
