"""Imports by URL, and the asynchronous imports of ``/v1``: jobs that store whole files or nothing."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CSV = b"id,c\n1,ES\n2,FR\n3,ES\n"
NDJSON = b'{"id": 1, "c": "ES"}\n{"id": 2, "c": "FR"}\n{"id": 3, "c": "ES"}\n'
SCHEMA = "id Int32 `json:$.id`, c String `json:$.c`"
ROWS = [[1, "ES"], [2, "FR"], [3, "ES"]]
_numbers = itertools.count()


def parquet() -> bytes:
    """Return the same rows as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([1, 2, 3], pa.int32()), "c": ["ES", "FR", "ES"]}), sink)
    return sink.getvalue()


class Handler(BaseHTTPRequestHandler):
    """One path for each behaviour."""

    protocol_version = "HTTP/1.1"
    released = threading.Event()

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].strip("/").replace(".", "_")
        with contextlib.suppress(OSError):
            getattr(self, f"on_{name}", self.on_missing)()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def reply(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def on_a_csv(self) -> None:
        self.reply(CSV)

    def on_a_csv_gz(self) -> None:
        self.reply(gzip.compress(CSV), Content_Type="application/gzip")

    def on_encoded_csv(self) -> None:
        self.reply(gzip.compress(CSV), Content_Type="text/csv", Content_Encoding="gzip")

    def on_a_ndjson(self) -> None:
        self.reply(NDJSON, Content_Type="application/octet-stream")

    def on_a_json(self) -> None:
        self.reply(NDJSON)

    def on_typed(self) -> None:
        self.reply(NDJSON, Content_Type="application/x-ndjson; charset=utf-8")

    def on_a_parquet(self) -> None:
        self.reply(parquet())

    def on_magic(self) -> None:
        self.reply(parquet(), Content_Type="text/csv")

    def on_mistyped_csv(self) -> None:
        self.reply(CSV, Content_Type="text/html; charset=utf-8")

    def on_page(self) -> None:
        self.reply(b"<html><body>Log in</body></html>", Content_Type="text/html")

    def on_moved_csv(self) -> None:
        self.reply(b"", 302, Location="/a.csv")

    def on_circle_csv(self) -> None:
        self.reply(b"", 302, Location="/circle.csv")

    def on_to_file_csv(self) -> None:
        self.reply(b"", 302, Location="file:///etc/passwd")

    def on_missing(self) -> None:
        self.reply(b"id,c\n9,no\n", 404)

    def on_broken_csv(self) -> None:
        self.reply(b"id,c\n9,no\n", 500)

    def on_empty_csv(self) -> None:
        self.reply(b"")

    def on_short_csv(self) -> None:
        self.reply(CSV, length=len(CSV) + 10)
        self.close_connection = True

    def on_chunked_csv(self) -> None:
        """End in the middle of a chunked body."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(CSV), CSV))
        self.close_connection = True

    def on_reset_csv(self) -> None:
        """Reset the connection after a part of the body."""
        self.reply(CSV, length=1_000_000)
        self.wfile.flush()
        time.sleep(0.1)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def on_damaged_csv_gz(self) -> None:
        self.reply(gzip.compress(CSV * 100)[:-12])

    def on_slow_csv(self) -> None:
        """Send a row now and then until the test is over, and then end well."""
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"id,c\n")
        while not self.released.wait(0.05):
            self.wfile.write(b"9,slow\n")
            self.wfile.flush()
        self.close_connection = True

    def on_silent_csv(self) -> None:
        """Send headers and nothing more."""
        self.reply(b"", length=100)
        self.wfile.flush()
        self.released.wait(25)
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


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"byurl_{next(_numbers)}"


@pytest.fixture
def existing(api: Any, name: str) -> str:
    """The name of an empty Data Source."""
    reply = api.post("/v0/datasources", params={"name": name, "schema": SCHEMA})
    assert reply.status_code == 200, reply.text
    return name


def finished(api: Any, reply: Any, **parameters: str) -> dict[str, Any]:
    """Wait for the job that a reply names."""
    assert reply.status_code in (200, 202), reply.text
    path = f"/v0/jobs/{reply.json()['id']}"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        job: dict[str, Any] = api.get(path, params=parameters).json()
        if job["status"] in ("done", "error", "cancelled"):
            return job
        time.sleep(0.03)
    raise AssertionError(f"The job did not end: {job}")


def rows(api: Any, q: str) -> list[list[Any]]:
    """Return the rows of a query."""
    reply = api.sql(f"{q} FORMAT JSONCompact")
    assert reply.status_code == 200, reply.text
    found: list[list[Any]] = reply.json()["data"]
    return found


class TestReply:
    def test_shape(self, api: Any, web: str, existing: str) -> None:
        """The call answers at once with the job's ids, and the job is found under all of them."""
        reply = api.post("/v0/datasources", params={"name": existing, "mode": "append", "url": f"{web}/a.csv"})
        body = reply.json()
        assert reply.status_code == 200
        assert body["id"] == body["job_id"] == body["import_id"] == body["job"]["id"] == body["job"]["job_id"]
        assert body["job"]["kind"] == "import"
        assert body["status"] in ("waiting", "working", "done")
        assert body["job_url"] == f"{api.host}/v0/jobs/{body['id']}"
        job = finished(api, reply)
        assert (job["status"], job["kind"], job["mode"], job["url"]) == ("done", "import", "append", f"{web}/a.csv")
        assert job["import_id"] == body["id"]
        assert job["datasource"]["name"] == existing
        assert job["datasource"]["id"].startswith("t_")
        assert job["statistics"]["row_count"] == 3
        assert job["statistics"]["bytes"] > 0
        assert (job["quarantine_rows"], job["invalid_lines"]) == (0, 0)
        assert job["is_cancellable"] is False
        assert job["created_at"] <= job["started_at"] <= job["updated_at"]
        assert "blocks" not in job
        assert "error" not in job

    @pytest.mark.parametrize("debug", ["blocks,block_log", "blocks_block_log"])
    def test_debug(self, api: Any, web: str, existing: str, debug: str) -> None:
        """Blocks are shown when asked for, in both spellings."""
        parameters = {"name": existing, "mode": "append", "url": f"{web}/a.csv", "debug": debug}
        job = finished(api, api.post("/v0/datasources", params=parameters), debug=debug)
        [block] = job["blocks"]
        [lines] = block["process_return"]
        assert (lines["lines"], lines["quarantine"], lines["bytes"]) == (3, 0, len(CSV))
        assert [(each["block_id"], each["status"]) for each in job["block_log"]] == [(block["block_id"], "done")]

    def test_form_and_query(self, api: Any, web: str, existing: str) -> None:
        """The URL may come in a form, the other parameters in the query."""
        parameters = {"name": existing, "mode": "append"}
        reply = api.post("/v0/datasources", params=parameters, data={"url": f"{web}/a.csv"})
        assert finished(api, reply)["status"] == "done"
        assert rows(api, f"SELECT id, c FROM {existing} ORDER BY id") == ROWS


class TestModes:
    def test_create(self, api: Any, web: str, name: str) -> None:
        """A CSV is guessed, and the job says what was made."""
        job = finished(api, api.post("/v0/datasources", params={"name": name, "url": f"{web}/a.csv"}))
        assert (job["status"], job["mode"]) == ("done", "create")
        described = api.get(f"/v0/datasources/{name}").json()
        assert job["datasource"]["id"] == described["id"]
        assert [(each["name"], each["type"]) for each in described["columns"]] == [("id", "Int16"), ("c", "String")]
        assert rows(api, f"SELECT * FROM {name} ORDER BY id") == ROWS

    def test_create_with_a_schema(self, api: Any, web: str, name: str) -> None:
        """NDJSON with a schema."""
        parameters = {"name": name, "url": f"{web}/a.ndjson", "schema": SCHEMA, "format": "ndjson"}
        assert finished(api, api.post("/v0/datasources", params=parameters))["status"] == "done"
        assert rows(api, f"SELECT * FROM {name} ORDER BY id") == ROWS

    def test_append_makes_what_is_missing(self, api: Any, web: str, name: str) -> None:
        """An append to a Data Source that does not exist creates it (Classic)."""
        parameters = {"name": name, "url": f"{web}/a.csv", "mode": "append"}
        assert finished(api, api.post("/v0/datasources", params=parameters))["mode"] == "create"
        assert rows(api, f"SELECT count() FROM {name}") == [[3]]

    def test_replace(self, api: Any, web: str, existing: str) -> None:
        """All rows, or those that meet a condition."""
        api.post("/v0/datasources", params={"name": existing, "mode": "append"}, data="8,DE\n9,ES\n")
        parameters = {"name": existing, "url": f"{web}/a.csv", "mode": "replace", "replace_condition": "c = 'ES'"}
        assert finished(api, api.post("/v0/datasources", params=parameters))["status"] == "done"
        assert rows(api, f"SELECT id FROM {existing} ORDER BY id") == [[1], [3], [8]]
        parameters = {"name": existing, "url": f"{web}/a.csv", "mode": "replace"}
        assert finished(api, api.post("/v0/datasources", params=parameters))["status"] == "done"
        assert rows(api, f"SELECT * FROM {existing} ORDER BY id") == ROWS

    def test_quarantine(self, api: Any, web: str, name: str) -> None:
        """Rows that do not fit are counted in the job, which is done."""
        api.post("/v0/datasources", params={"name": name, "schema": "id Int32, c Int32"})
        parameters = {"name": name, "url": f"{web}/a.csv", "mode": "append"}
        job = finished(api, api.post("/v0/datasources", params=parameters))
        assert (job["status"], job["quarantine_rows"], job["statistics"]["row_count"]) == ("done", 3, 0)
        assert job["errors"]
        assert rows(api, f"SELECT DISTINCT c__import_id FROM {name}_quarantine") == [[job["import_id"]]]

    def test_null_engine_stays_what_it_is(self, api: Any, web: str, name: str) -> None:
        """A replace does not turn a Data Source that keeps nothing into one that keeps rows."""
        api.post("/v0/datasources", params={"name": name, "schema": SCHEMA, "engine": "Null"})
        for mode in ("append", "replace", "replace"):
            parameters = {"name": name, "url": f"{web}/a.csv", "mode": mode}
            assert finished(api, api.post("/v0/datasources", params=parameters))["status"] == "done"
            assert rows(api, f"SELECT count() FROM {name}") == [[0]]


class TestFormats:
    @pytest.mark.parametrize(
        "file",
        ["a.csv", "a.csv.gz", "encoded.csv", "a.ndjson", "a.json", "typed", "a.parquet", "magic", "mistyped.csv"],
    )
    def test_detected(self, api: Any, web: str, existing: str, file: str) -> None:
        """First bytes, content type and ending tell the format; gzip is undone."""
        reply = api.post("/v0/datasources", params={"name": existing, "mode": "append", "url": f"{web}/{file}"})
        job = finished(api, reply)
        assert job["status"] == "done", job
        assert rows(api, f"SELECT id, c FROM {existing} ORDER BY id") == ROWS

    def test_given(self, api: Any, web: str, existing: str) -> None:
        """The parameter decides over everything else."""
        parameters = {"name": existing, "mode": "append", "url": f"{web}/a.ndjson", "format": "csv"}
        job = finished(api, api.post("/v0/datasources", params=parameters))
        assert job["quarantine_rows"] == 3

    def test_redirect(self, api: Any, web: str, existing: str) -> None:
        """A redirect is followed."""
        parameters = {"name": existing, "mode": "append", "url": f"{web}/moved.csv"}
        assert finished(api, api.post("/v0/datasources", params=parameters))["status"] == "done"
        assert rows(api, f"SELECT count() FROM {existing}") == [[3]]


class TestFailures:
    @pytest.mark.parametrize("mode", ["append", "replace", "create"])
    @pytest.mark.parametrize(
        ("file", "said"),
        [
            ("nothing.csv", "404"),
            ("broken.csv", "500"),
            ("empty.csv", "empty"),
            ("short.csv", "cut off"),
            ("chunked.csv", "part of the file"),
            ("reset.csv", "connection"),
            ("damaged.csv.gz", "gzip"),
            ("circle.csv", "redirects more than"),
            ("to_file.csv", "http"),
        ],
    )
    def test_nothing_is_stored(self, api: Any, web: str, name: str, file: str, said: str, mode: str) -> None:
        """The job ends with a sentence, the rows are those of before, and the log has it."""
        if mode != "create":
            api.post("/v0/datasources", params={"name": name, "schema": SCHEMA})
            api.post("/v0/datasources", params={"name": name, "mode": "append"}, data="7,XX\n")
        url = f"{web}/{file}?secret=sesame"
        job = finished(api, api.post("/v0/datasources", params={"name": name, "mode": mode, "url": url}))
        assert job["status"] == "error"
        assert said in job["error"]
        assert "sesame" not in job["error"]
        if mode == "create":
            assert api.get(f"/v0/datasources/{name}").status_code == 404
        else:
            assert rows(api, f"SELECT * FROM {name}") == [[7, "XX"]]
            assert api.get(f"/v0/datasources/{name}").json()["quarantine_rows"] == 0
        logged = rows(
            api,
            "SELECT event_type, result, error, import_id FROM tinybird.datasources_ops_log "
            f"WHERE datasource_name = '{name}' AND result = 'error'",
        )
        assert logged == [[mode, "error", job["error"], job["id"]]]

    @pytest.mark.parametrize(
        ("parameters", "status"),
        [
            ({"url": "ftp://example.com/a.csv"}, 400),
            ({"url": "file:///etc/passwd"}, 400),
            ({"url": "nonsense"}, 400),
            ({"url": "http://x/a", "mode": "upsert"}, 400),
            ({"url": "http://x/a", "format": "xml"}, 400),
            ({"url": "http://x/a.ndjson", "format": "ndjson"}, 400),
            ({"url": "http://x/a", "schema": "id Nonsense"}, 400),
            ({"url": "http://x/a", "name": "select"}, 400),
            ({"url": "http://x/a", "mode": "append", "name": ""}, 400),
            ({"url": "http://x/a", "mode": "replace", "name": "byurl_unknown"}, 404),
        ],
    )
    def test_refused_at_once(self, api: Any, name: str, parameters: dict[str, str], status: int) -> None:
        """What can be known before the file is read is no job."""
        before = len(api.get("/v0/jobs").json()["jobs"])
        reply = api.post("/v0/datasources", params={"name": name, **parameters})
        assert reply.status_code == status, reply.text
        assert reply.json()["error"]
        assert len(api.get("/v0/jobs").json()["jobs"]) == before

    def test_name_taken(self, api: Any, web: str, existing: str) -> None:
        """A new Data Source with a name that is taken is refused at once."""
        assert api.post("/v0/datasources", params={"name": existing, "url": f"{web}/a.csv"}).status_code == 409

    def test_bad_condition(self, api: Any, web: str, existing: str) -> None:
        """A replace_condition that is no expression is refused at once."""
        parameters = {
            "name": existing,
            "url": f"{web}/a.csv",
            "mode": "replace",
            "replace_condition": "id = (SELECT 1)",
        }
        assert api.post("/v0/datasources", params=parameters).status_code == 400

    def test_two_creations_of_one_name(self, api: Any, web: str, name: str) -> None:
        """One of them makes it, the other fails in words."""
        replies = [api.post("/v0/datasources", params={"name": name, "url": f"{web}/a.csv"}) for _ in range(2)]
        jobs = [finished(api, reply) if reply.status_code == 200 else reply.json() for reply in replies]
        assert sum(job.get("status") == "done" for job in jobs) == 1
        assert sum("already" in str(job.get("error")) for job in jobs) == 1
        assert rows(api, f"SELECT count() FROM {name}") == [[3]]

    def test_web_page(self, api: Any, web: str, existing: str) -> None:
        """A page where a file was expected stores no row."""
        parameters = {"name": existing, "mode": "append", "url": f"{web}/page"}
        finished(api, api.post("/v0/datasources", params=parameters))
        assert rows(api, f"SELECT count() FROM {existing}") == [[0]]


class TestV1:
    @pytest.mark.parametrize(
        ("body", "content_type", "parameters"),
        [
            (CSV, "text/csv; charset=utf-8", {"format": "csv"}),
            (CSV, "text/csv; charset=utf-8", {}),
            (NDJSON, "application/x-ndjson; charset=utf-8", {"format": "ndjson"}),
            (NDJSON.strip(), "application/x-ndjson", {}),
            (parquet(), "application/vnd.apache.parquet", {}),
            (parquet(), "", {"format": "parquet"}),
        ],
    )
    @pytest.mark.parametrize("packed", [False, True])
    def test_body(
        self, api: Any, existing: str, body: bytes, content_type: str, parameters: dict[str, str], packed: bool
    ) -> None:
        """The file is the body, plain or with Content-Encoding gzip; the reply is 202 with the job's id."""
        headers = {"Content-Type": content_type} if content_type else {}
        if packed:
            body, headers = gzip.compress(body), {**headers, "Content-Encoding": "gzip"}
        reply = api.post(f"/v1/datasources/{existing}/append", params=parameters, data=body, headers=headers)
        assert reply.status_code == 202, reply.text
        assert reply.json()["id"] == reply.json()["import_id"]
        job = finished(api, reply, debug="blocks,block_log")
        assert job["status"] == "done", job
        assert [each["lines"] for block in job["blocks"] for each in block["process_return"]] == [3]
        assert rows(api, f"SELECT id, c FROM {existing} ORDER BY id") == ROWS

    def test_gzip_body_of_v0(self, api: Any, existing: str) -> None:
        """The same header works on /v0."""
        headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
        parameters = {"name": existing, "mode": "append"}
        reply = api.post("/v0/datasources", params=parameters, data=gzip.compress(CSV), headers=headers)
        assert reply.status_code == 200, reply.text
        assert rows(api, f"SELECT id, c FROM {existing} ORDER BY id") == ROWS

    def test_by_id_and_url(self, api: Any, web: str, existing: str) -> None:
        """The Data Source may be named by its id, the file by its URL."""
        found = api.get(f"/v0/datasources/{existing}").json()["id"]
        reply = api.post(f"/v1/datasources/{found}/append", params={"url": f"{web}/a.csv", "format": "csv"})
        assert reply.status_code == 202
        assert finished(api, reply)["url"] == f"{web}/a.csv"
        assert rows(api, f"SELECT count() FROM {existing}") == [[3]]

    def test_replace(self, api: Any, existing: str) -> None:
        """With and without a condition."""
        api.post("/v0/datasources", params={"name": existing, "mode": "append"}, data="8,DE\n9,ES\n")
        path = f"/v1/datasources/{existing}/replace"
        reply = api.post(path, params={"replace_condition": "c = 'ES'"}, data=CSV, headers={"Content-Type": "text/csv"})
        assert finished(api, reply)["mode"] == "replace"
        assert rows(api, f"SELECT id FROM {existing} ORDER BY id") == [[1], [3], [8]]
        finished(api, api.post(path, data=CSV, headers={"Content-Type": "text/csv"}))
        assert rows(api, f"SELECT id FROM {existing} ORDER BY id") == [[1], [2], [3]]

    def test_failure(self, api: Any, existing: str) -> None:
        """What is wrong with the file is told by the job."""
        reply = api.post(f"/v1/datasources/{existing}/append", params={"format": "parquet"}, data=CSV)
        job = finished(api, reply)
        assert job["status"] == "error"
        assert "Parquet" in job["error"]
        assert rows(api, f"SELECT count() FROM {existing}") == [[0]]

    @pytest.mark.parametrize("action", ["append", "replace"])
    def test_refused(self, api: Any, existing: str, action: str) -> None:
        """No file, no such Data Source, no token, a format that there is not."""
        assert api.post(f"/v1/datasources/{existing}/{action}").status_code == 400
        assert api.post(f"/v1/datasources/byurl_unknown/{action}", data=CSV).status_code == 404
        assert api.post(f"/v1/datasources/{existing}/{action}", data=CSV, token=None).status_code == 403
        assert api.post(f"/v1/datasources/{existing}/{action}?format=xml", data=CSV).status_code == 400
        assert rows(api, f"SELECT count() FROM {existing}") == [[0]]

    def test_append_token(self, api: Any, existing: str) -> None:
        """A token that appends may append, not replace."""
        made = api.post("/v0/tokens", params={"name": f"t_{existing}", "scope": f"DATASOURCES:APPEND:{existing}"})
        token = made.json()["token"]
        reply = api.post(f"/v1/datasources/{existing}/append", data="1,a\n", token=token)
        assert reply.status_code == 202
        finished(api, reply)
        assert api.post(f"/v1/datasources/{existing}/replace", data="1,a\n", token=token).status_code == 403
        assert rows(api, f"SELECT count() FROM {existing}") == [[1]]


class TestLogs:
    def test_good_import(self, api: Any, web: str, existing: str) -> None:
        """The operation, its block and its job are found under the same id."""
        job = finished(
            api, api.post("/v0/datasources", params={"name": existing, "mode": "append", "url": f"{web}/a.csv"})
        )
        [logged] = rows(
            api,
            "SELECT event_type, result, rows, rows_quarantine, job_id, import_id FROM tinybird.datasources_ops_log "
            f"WHERE datasource_name = '{existing}' AND event_type = 'append'",
        )
        assert logged == ["append", "ok", 3, 0, job["id"], job["id"]]
        [block] = rows(
            api,
            f"SELECT status, rows, source, datasource_name FROM tinybird.block_log WHERE import_id = '{job['id']}'",
        )
        assert block == ["done", 3, f"{web}/a.csv", existing]
        [logged_job] = rows(
            api,
            f"SELECT job_type, status, error, job_metadata FROM tinybird.jobs_log FINAL WHERE job_id = '{job['id']}'",
        )
        assert logged_job[:3] == ["import", "done", None]
        assert json.loads(logged_job[3])["mode"] == "append"
