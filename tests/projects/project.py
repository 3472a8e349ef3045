"""A project of this folder: its datafiles and fixtures, and how it gets onto a server through raw HTTP.

Forward projects go in one multipart form, as its CLI sends it; Classic ones file by file, Data Sources first, as its
CLI pushes them.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinymagic.local.datafiles.model import ConnectionFile, Datafile, DatasourceFile, NodeFile, PipeFile
from tinymagic.local.datafiles.parsing import parse_datafile

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    Call = Callable[..., requests.Response]

FOLDER = Path(__file__).parent
KINDS = (".datasource", ".pipe", ".connection")

#: Rows of one request to the Events API.
BATCH = 500


@dataclass(frozen=True)
class Project:
    """One of the projects.

    Attributes:
        name: of its folder.
        classic: it is one of Tinybird Classic.
    """

    name: str
    classic: bool

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return FOLDER / self.name

    def files(self) -> dict[str, str]:
        """Return the texts of the datafiles by their path in the project: Data Sources, Pipes, connections."""
        found = [path for kind in KINDS for path in sorted(self.folder.rglob(f"*{kind}"))]
        return {path.relative_to(self.folder).as_posix(): path.read_text(encoding="utf-8") for path in found}

    def parsed(self) -> list[Datafile]:
        """Return the datafiles, read."""
        others = {
            path.relative_to(self.folder).as_posix(): path.read_text(encoding="utf-8")
            for path in self.folder.rglob("*.incl")
        }
        return [parse_datafile(text, path, includes=others) for path, text in self.files().items()]

    def datasources(self) -> list[DatasourceFile]:
        """Return the Data Sources."""
        return [file for file in self.parsed() if isinstance(file, DatasourceFile)]

    def pipes(self) -> list[PipeFile]:
        """Return the Pipes."""
        return [file for file in self.parsed() if isinstance(file, PipeFile)]

    def connections(self) -> list[ConnectionFile]:
        """Return the connections."""
        return [file for file in self.parsed() if isinstance(file, ConnectionFile)]

    def of_type(self, kind: str) -> list[str]:
        """Return the names of the Pipes of a type; Classic publishes every one that says nothing else."""
        return [file.name for file in self.pipes() if type_of(file, self.classic) == kind]

    def form(self) -> list[tuple[str, tuple[str, str, str]]]:
        """Return the parts of the form that the CLI of Forward sends."""
        version = ("context://", ("cli-version", "1.0.0", "text/plain"))
        return [version, *(("data_project://", (path, text, "text/plain")) for path, text in self.files().items())]


PROJECTS = {
    name: Project(name, classic)
    for name, classic in {
        "web_analytics": False,
        "logs_explorer": True,
        "ecommerce": False,
        "iot": False,
        "leaderboard": True,
        "odd_bits_classic": True,
        "odd_bits_forward": False,
        "sql_gallery": False,
    }.items()
}


def type_of(file: PipeFile, classic: bool) -> str:
    """Return the type a Pipe has once it is on the server."""
    node = file.output_node
    return node.type if node else ("endpoint" if classic else "standard")


def deploy(call: Call, project: Project) -> dict[str, Any]:
    """Deploy a project as Forward does, wait until it is live, and return the deployment."""
    reply = call("POST", "/v1/deploy", params={"auto_promote": "true", "from": "cli"}, files=project.form())
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    assert answer["result"] == "success", reply.text
    deployment: dict[str, Any] = answer["deployment"]
    deadline = time.monotonic() + 30
    while not deployment["live"]:
        assert time.monotonic() < deadline, deployment
        time.sleep(0.05)
        deployment = call("GET", f"/v1/deployments/{deployment['id']}").json()["deployment"]
    return deployment


def push(call: Call, project: Project) -> None:
    """Push a project as the CLI of Classic does: what is read comes before what reads it."""
    for source in project.datasources():
        fields = {"name": source.name, "schema": source.schema, "description": source.description, **source.engine}
        if source.indexes:
            fields["indexes"] = source.indexes
        if "json:$" in source.schema:
            fields["format"] = "ndjson"
        reply = call("POST", "/v0/datasources", data=fields)
        assert reply.status_code == 200, f"{source.file}: {reply.text}"
    waiting = {file.name: file for file in project.pipes()}
    while waiting:
        words = {
            name: set(re.findall(r"\w+", " ".join(node.sql for node in file.nodes))) for name, file in waiting.items()
        }
        ready = [name for name in waiting if not (words[name] & waiting.keys()) - {name}]
        assert ready, f"Pipes that read each other: {sorted(waiting)}"
        for name in ready:
            push_pipe(call, waiting.pop(name))


def push_pipe(call: Call, file: PipeFile) -> None:
    """Make a Pipe of Classic, and publish its last node when it is for nothing else."""
    body = {"name": file.name, "description": file.description, "nodes": [node_body(node) for node in file.nodes]}
    parameters = {"force": "true", "ignore_sql_errors": "false"}
    headers = {"Content-Type": "application/json"}
    if type_of(file, classic=True) == "copy":
        target = file.output_node.settings["target_datasource"] if file.output_node else ""
        body |= {"target_datasource": target, "schedule_cron": None}
    reply = call("POST", "/v0/pipes", params=parameters, data=json.dumps(body), headers=headers)
    assert reply.status_code == 200, f"{file.file}: {reply.text}"
    if type_of(file, classic=True) == "endpoint" and reply.json()["type"] == "default":
        node = (file.output_node or file.nodes[-1]).name
        reply = call("POST", f"/v0/pipes/{file.name}/nodes/{node}/endpoint")
        assert reply.status_code == 200, f"{file.file}: {reply.text}"


def node_body(node: NodeFile) -> dict[str, Any]:
    """Return a node as the JSON form of the Pipes API has it."""
    return {"name": node.name, "sql": node.sql, "description": node.description, "type": node.type, **node.settings}


def send(call: Call, datasource: str, rows: list[dict[str, Any]]) -> None:
    """Send rows through the Events API, in several requests."""
    for start in range(0, len(rows), BATCH):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows[start : start + BATCH])
        reply = call("POST", "/v0/events", params={"name": datasource, "wait": "true"}, data=lines.encode())
        assert reply.status_code in {200, 202}, reply.text
        assert reply.json()["quarantined_rows"] == 0, reply.text


def load(call: Call, datasource: str, text: str, file_format: str) -> None:
    """Append a file."""
    parameters = {"name": datasource, "mode": "append", "format": file_format}
    reply = call("POST", "/v0/datasources", params=parameters, data=text.encode())
    assert reply.status_code == 200, reply.text
    assert not reply.json().get("quarantine_rows"), reply.text


def finished(call: Call, job_id: str, *, within: float = 30) -> dict[str, Any]:
    """Return a job once it has ended."""
    deadline = time.monotonic() + within
    while True:
        job: dict[str, Any] = call("GET", f"/v0/jobs/{job_id}").json()
        if job["status"] in {"done", "error", "cancelled"} or time.monotonic() > deadline:
            return job
        time.sleep(0.05)
