"""``%tinybird analyze`` in a real IPython on the embedded server."""

from __future__ import annotations

import contextlib
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tinymagic import errors

_numbers = itertools.count()
NDJSON = '{"id": 1, "c": "ES"}\n{"id": 2}\n'


def new():
    return f"cmdanalyze_{next(_numbers)}"


@pytest.fixture
def file(connected, clean_settings):
    (clean_settings / "2024 events.ndjson").write_text(NDJSON)
    return connected


def test_columns_schema_and_preview(file):
    ran = file.ok("%tinybird analyze '2024 events.ndjson'")
    assert ran.value.columns.tolist() == ["name", "type", "null share", "path"]
    found = {row["name"]: (row["type"], row["null share"], row["path"]) for _, row in ran.value.iterrows()}
    assert found == {"id": ("Int16", 0.0, "$.id"), "c": ("Nullable(String)", 0.5, "$.c")}
    assert "Schema:" in ran.printed
    assert "`json:$.id`" in ran.printed
    assert "the first 2 rows" in ran.displays[0]["text/html"]
    assert "ES" in ran.displays[0]["text/html"]


def test_a_csv_tells_its_dialect(connected, clean_settings):
    (clean_settings / "a.txt").write_text("a;b\n1;2\n")
    ran = connected.ok("%tinybird analyze a.txt --format csv")
    assert "delimiter ';'" in ran.printed
    assert ran.value["name"].tolist() == ["a", "b"]


def test_a_frame(connected):
    connected.ok("import pandas as pd\ndf = pd.DataFrame({'a': [1, None], 'b': ['x', 'y']})")
    assert connected.ok("%tinybird analyze df").value["name"].tolist() == ["a", "b"]


def test_create_loads_it(file, workspace):
    name = new()
    ran = file.ok(f"%tinybird analyze '2024 events.ndjson' --create {name}")
    assert f"Created {name}. 2 rows stored." in ran.printed
    assert workspace.sql(f"SELECT id, c FROM {name} ORDER BY id").id.tolist() == [1, 2]
    assert isinstance(file.run(f"%tinybird analyze '2024 events.ndjson' --create {name}").error, errors.TinybirdError)
    assert len(workspace.sql(f"SELECT id FROM {name}")) == 2


def test_to_writes_a_datafile(file, clean_settings):
    file.ok("%tinybird analyze '2024 events.ndjson' --to project")
    text = (clean_settings / "project" / "datasources" / "c_2024_events.datasource").read_text()
    assert "c Nullable(String) `json:$.c`" in text
    assert 'ENGINE "MergeTree"' in text
    file.ok("%tinybird analyze '2024 events.ndjson' --to project")
    name = new()
    file.ok(f"%tinybird analyze '2024 events.ndjson' --to project --create {name}")
    assert (clean_settings / "project" / "datasources" / f"{name}.datasource").exists()


def test_without_a_file_it_tells_how(connected):
    ran = connected.ok("%tinybird analyze")
    assert ran.value is None
    assert "%tinybird analyze sales.csv" in ran.printed
    assert "FILE is missing" in str(connected.run("%tinybird analyze --to project").error)


def test_what_cannot_be(connected, clean_settings):
    assert "There is no file" in str(connected.run("%tinybird analyze none.csv").error)
    (clean_settings / "empty.csv").write_text("")
    assert "empty" in str(connected.run("%tinybird analyze empty.csv").error)
    (clean_settings / "bad.parquet").write_text("PAR1 no")
    assert isinstance(connected.run("%tinybird analyze bad.parquet").error, errors.BadRequest)
    connected.ok("number = 7")
    assert "rows come from" in str(connected.run("%tinybird analyze number").error)


def test_a_url(connected):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(NDJSON)))
                self.end_headers()
                self.wfile.write(NDJSON.encode())

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/events.ndjson"
        assert connected.ok(f"%tinybird analyze {url}").value["name"].tolist() == ["c", "id"]
        name = new()
        assert "2 rows stored" in connected.ok(f"%tinybird analyze {url} --create {name}").printed
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
