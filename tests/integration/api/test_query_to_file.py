"""`Query.to_file`: every format, whole or not at all, in constant memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import textwrap
import threading
from decimal import Decimal

import pytest
import requests
from pyarrow import parquet

from tinymagic import local
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.errors import BadReply, Cancelled, InvalidInput, QueryError

SQL = """SELECT number AS n, concat('line\\n"', toString(number), '"') AS s,
toDecimal256('1234567890123456789012345678901234567890.12', 2) AS d, nan AS f FROM numbers(1000)"""
NUMBER = "1234567890123456789012345678901234567890.12"


@pytest.mark.parametrize("ending", ["csv", "tsv", "ndjson", "jsonl", "json", "parquet", "csv.gz", "ndjson.gz"])
def test_formats(workspace, tmp_path, ending):
    """The name tells the format; rows are counted although texts hold line breaks and quotes; digits stay."""
    path = tmp_path / f"rows.{ending}"
    told = []
    saved = workspace.query.to_file(SQL, path, on_progress=told.append)
    assert (saved.path, saved.rows, saved.bytes) == (path, 1000, path.stat().st_size)
    assert saved.wall_s > 0
    assert told[-1].done > 0
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    data = path.read_bytes()
    if ending == "parquet":
        rows = parquet.read_table(path).to_pylist()
        assert rows[7]["s"] == 'line\n"7"'
        assert rows[7]["d"] == Decimal(NUMBER)
        return
    text = (gzip.decompress(data) if ending.endswith(".gz") else data).decode()
    assert NUMBER in text
    if "json" in ending:
        rows = json.loads(text)["data"] if ending == "json" else [json.loads(line) for line in text.splitlines()]
        assert rows[7]["s"] == 'line\n"7"'
        assert rows[7]["f"] == "nan"
    else:
        assert text.splitlines()[0].replace('"', "").replace("\t", ",") == "n,s,d,f"


@pytest.mark.parametrize("ending", ["csv", "tsv", "ndjson", "json", "parquet", "tsv.gz"])
@pytest.mark.parametrize("limit", [None, 0, 1, 5])
def test_limits_and_no_rows(workspace, tmp_path, ending, limit):
    """As many rows as asked for; a file of none is a file of its format."""
    path = tmp_path / f"few.{ending}"
    sql = "SELECT number AS n, 'x' AS s FROM numbers(100)" + (" WHERE 0" if limit is None else "")
    saved = workspace.query.to_file(sql, path, limit=limit)
    assert saved.rows == (limit or 0)
    if ending == "parquet":
        table = parquet.read_table(path)
        assert table.num_rows == saved.rows
        assert table.column_names == ["n", "s"]
    elif ending == "json":
        assert len(json.loads(path.read_text())["data"]) == saved.rows


def test_parameters_and_chosen_format(workspace, tmp_path):
    """A template takes values; the format may be said; a FORMAT of the query's own gives way."""
    path = tmp_path / "rows.data"
    sql = "%SELECT {{Int64(n)}} AS n FORMAT JSON"
    saved = workspace.query.to_file(sql, path, format="csv", params={"n": 2**62})
    assert saved.format == "CSVWithNames"
    assert path.read_text() == f'"n"\n{2**62}\n'
    described = workspace.query.to_file("DESCRIBE (SELECT 1 AS n)", tmp_path / "d.tsv")
    assert described.rows == 1


def test_a_file_that_is_there(workspace, tmp_path):
    """It stays unless overwriting is allowed; an error leaves the old one as it was, and nothing beside it."""
    path = tmp_path / "there.csv"
    path.write_text("old")
    with pytest.raises(InvalidInput, match="there already"):
        workspace.query.to_file("SELECT 1 AS n", path)
    with pytest.raises(QueryError):
        workspace.query.to_file("SELECT nothing_of_that_name", path, overwrite=True)
    assert path.read_text() == "old"
    workspace.query.to_file("SELECT 1 AS n", path, overwrite=True)
    assert path.read_text() == '"n"\n1\n'
    assert [each.name for each in tmp_path.iterdir()] == ["there.csv"]


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("rows", {}, "tells no format"),
        ("rows.xlsx", {}, "tells no format"),
        ("rows.gz", {}, "tells no format"),
        ("rows.csv", {"format": "xml"}, "no format 'xml'"),
        ("rows.parquet.gz", {}, "compressed already"),
        ("no_such_folder/rows.csv", {}, "no folder"),
        (".", {}, "is a folder"),
        ("rows.csv", {"limit": -1}, "limit"),
    ],
)
def test_what_cannot_be(workspace, tmp_path, name, options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        workspace.query.to_file("SELECT 1", tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_errors_speak_of_the_users_text(workspace, tmp_path):
    with pytest.raises(QueryError) as caught:
        workspace.query.to_file("SELECT 1 +", tmp_path / "x.csv", limit=3)
    assert caught.value.position is not None
    assert caught.value.position <= len("SELECT 1 +")
    assert list(tmp_path.iterdir()) == []


def test_rows_that_break_off(workspace, tmp_path):
    """A query that fails after its first rows leaves no file."""
    sql = "SELECT number, throwIf(number = 3000000) FROM numbers(4000000)"
    with pytest.raises((QueryError, BadReply)):
        workspace.query.to_file(sql, tmp_path / "part.ndjson")
    assert list(tmp_path.iterdir()) == []


def test_cancelling_leaves_nothing(workspace, tmp_path):
    """Also an interrupt in the middle, which comes as an exception out of the callback."""
    cancellation = Cancellation()
    threading.Timer(0.3, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        workspace.query.to_file(
            "SELECT max(cityHash64(number)) FROM numbers(100000000000)", tmp_path / "c.csv", cancellation=cancellation
        )

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workspace.query.to_file("SELECT number FROM numbers(100000)", tmp_path / "i.csv", on_progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def unlimited(private_folders):
    """A server of its own whose results may be longer than those of the service."""
    started = local.start(memory=True, port=0, with_parent=True, limits="none")
    yield started, requests.get(f"{started.host}/tokens", timeout=10).json()["workspace_admin_token"]
    local.stop(port=started.port)


def test_memory_does_not_grow_with_the_file(unlimited, tmp_path):
    """Ten times the rows, some hundred MB of them, take the same memory."""
    server, token = unlimited
    program = textwrap.dedent(
        """
        import resource, sys
        import tinymagic
        host, token, rows, path = sys.argv[1:]
        workspace = tinymagic.connect(host=host, token=token)
        sql = f"SELECT number AS n, repeat('x', 40) AS s FROM numbers({rows})"
        saved = workspace.query.to_file(sql, path)
        print(saved.rows, saved.bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        """
    )

    def peak(rows):
        path = tmp_path / f"{rows}.csv"
        command = [sys.executable, "-c", program, server.host, token, str(rows), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        counted, size, memory_kb = map(int, done.stdout.split())
        assert counted == rows
        path.unlink()
        return size, memory_kb * 1024

    small, few = peak(400_000)
    large, many = peak(4_000_000)
    assert large > 200_000_000
    # Held in memory the file would be twenty times this.
    assert many - few < 10_000_000 + 0.01 * (large - small)
