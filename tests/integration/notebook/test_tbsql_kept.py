"""``--cache`` and ``--freeze``: results on disk."""

from __future__ import annotations

import json
import os
import stat

import pandas as pd
import pytest

from tinymagic.errors import QueryError, TinybirdError
from tinymagic.notebook.cells import result_cache
from tinymagic.notebook.problems import CellProblem

#: Another number at each run.
NOW = "SELECT toUnixTimestamp64Nano(now64(9)) AS n"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYMAGIC_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "results"


def value(cells, cell):
    return cells.ok(cell).value["n"][0]


class TestCache:
    def test_the_same_query_comes_from_disk(self, connected, own_cache):
        first = value(connected, f"%%tbsql --cache 10m\n{NOW}")
        ran = connected.ok(f"%%tbsql --cache 10m\n{NOW}")
        assert ran.value["n"][0] == first
        assert "From the cache, 0 s old." in ran.printed
        [path] = own_cache.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_another_text_value_or_limit_does_not(self, connected):
        connected.ok("kept = 1")
        cell = "%%tbsql --cache 10m {}\nSELECT toUnixTimestamp64Nano(now64(9)) AS n, {{{{ kept }}}} AS k"
        first = value(connected, cell.format(""))
        assert value(connected, cell.format("--limit 5")) != first
        connected.ok("kept = 2")
        assert value(connected, cell.format("")) != first
        connected.ok("kept = 1")
        assert value(connected, cell.format("")) == first

    def test_an_old_one_is_renewed(self, connected, own_cache, monkeypatch):
        first = value(connected, f"%%tbsql --cache 10m\n{NOW}")
        [path] = own_cache.iterdir()
        head, _, body = path.read_bytes().partition(b"\n")
        older = {**json.loads(head), "kept_at": json.loads(head)["kept_at"] - 700}
        path.write_bytes(json.dumps(older).encode() + b"\n" + body)
        assert value(connected, f"%%tbsql --cache 20m\n{NOW}") == first
        assert value(connected, f"%%tbsql --cache 10m\n{NOW}") != first

    def test_another_token_gets_its_own(self, connected, workspace, monkeypatch):
        first = value(connected, f"%%tbsql --cache 10m\n{NOW}")
        token = workspace.tokens.create("kept_other", ["ADMIN"])
        monkeypatch.setenv("TB_TOKEN", token.token.reveal())
        assert value(connected, f"%%tbsql --cache 10m\n{NOW}") != first

    @pytest.mark.parametrize("damage", [b"", b"{}\n", b"no json\nx", b'{"format": 9}\n'])
    def test_a_damaged_file_is_passed_over(self, connected, own_cache, damage):
        value(connected, f"%%tbsql --cache 10m\n{NOW}")
        [path] = own_cache.iterdir()
        path.write_bytes(damage)
        assert "From the cache" not in connected.ok(f"%%tbsql --cache 10m\n{NOW}").printed
        assert "From the cache" in connected.ok(f"%%tbsql --cache 10m\n{NOW}").printed

    def test_a_failure_is_not_kept(self, connected, own_cache):
        ran = connected.run("%%tbsql --cache 10m\nSELECT nope")
        assert isinstance(ran.error, QueryError)
        assert not own_cache.exists()

    def test_it_stays_small(self, connected, own_cache, monkeypatch):
        monkeypatch.setattr(result_cache, "MOST_BYTES", 3_000)
        for number in range(12):
            connected.ok(f"%%tbsql --cache 10m\nSELECT {number} AS n")
        files = sorted(own_cache.iterdir())
        assert 1 <= len(files) < 12
        assert sum(path.stat().st_size for path in files) <= 3_000

    def test_no_token_is_in_it(self, connected, own_cache, tokens):
        connected.ok(f"%%tbsql --cache 10m\n{NOW}")
        text = b"".join(path.read_bytes() for path in own_cache.iterdir()).decode("utf-8", "replace")
        token = tokens["workspace_admin_token"]
        assert not any(token[at : at + 8] in text for at in range(len(token) - 7))

    def test_a_folder_that_cannot_be_written(self, connected, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TINYMAGIC_CACHE_HOME", str(tmp_path / "file"))
        ran = connected.run(f"%%tbsql --cache 10m\n{NOW}")
        assert isinstance(ran.error, CellProblem)
        assert "cannot be kept" in str(ran.error)


class TestExact:
    SQL = (
        "SELECT toUInt256('115792089237316195423570985008687907853269984665640564039457584007913129639935') AS n, "
        "toDecimal128('1.000000000000000000001', 21) AS d, NULL::Nullable(Int64) AS missing, "
        "toDateTime64('2024-01-01 00:00:00.123456789', 9, 'Asia/Tokyo') AS t, [1, 2] AS a, '<b>' AS s"
    )

    @pytest.mark.parametrize("wire", ["json", "parquet"])
    @pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "dicts"])
    def test_a_kept_result_is_equal_in_every_type(self, connected, wire, kind):
        new = connected.ok(f"%%tbsql --type {kind} --format {wire}\n{self.SQL}").value
        connected.ok(f"%%tbsql --cache 10m --format {wire}\n{self.SQL}")
        ran = connected.ok(f"%%tbsql --cache 10m --type {kind} --format {wire}\n{self.SQL}")
        kept = ran.value
        assert type(kept) is type(new)
        if kind == "pandas":
            pd.testing.assert_frame_equal(kept, new)
        elif kind in ("polars", "arrow"):
            assert kept.equals(new)
            assert kept.schema == new.schema
        else:
            assert kept == new

    @pytest.mark.parametrize("wire", ["json", "parquet"])
    def test_without_rows(self, connected, wire):
        sql = "SELECT toDecimal64(1, 3) AS d, 'x' AS s WHERE 0"
        connected.ok(f"%%tbsql --cache 10m --format {wire}\n{sql}")
        kept = connected.ok(f"%%tbsql --cache 10m --format {wire}\n{sql}").value
        pd.testing.assert_frame_equal(kept, connected.ok(f"%%tbsql\n{sql}").value)

    def test_cut_by_a_limit(self, connected):
        connected.ok("%%tbsql --cache 10m --limit 3\nSELECT number AS n FROM numbers(9)")
        ran = connected.ok("%%tbsql --cache 10m --limit 3\nSELECT number AS n FROM numbers(9)")
        assert ran.value["n"].tolist() == [0, 1, 2]
        assert "showing 3 of at least" in ran.printed


class TestFreeze:
    def test_from_then_on_also_without_a_server_or_login(self, connected, monkeypatch, tmp_path):
        first = value(connected, f"%%tbsql --freeze\n{NOW}")
        assert [path.suffix for path in (tmp_path / ".tinymagic" / "frozen").iterdir()] == [".result"]
        monkeypatch.setenv("TB_HOST", "http://127.0.0.1:9")
        assert value(connected, f"%%tbsql --freeze\n{NOW}") == first
        monkeypatch.delenv("TB_TOKEN")
        monkeypatch.delenv("TB_HOST")
        monkeypatch.setattr("tinymagic.local.find", lambda *_: None)
        ran = connected.ok(f"%%tbsql --freeze\n{NOW}")
        assert ran.value["n"][0] == first
        assert "Frozen" in ran.printed
        assert isinstance(connected.run(f"%%tbsql\n{NOW}").error, TinybirdError)

    def test_deleted_it_is_asked_anew(self, connected, tmp_path):
        first = value(connected, f"%%tbsql --freeze\n{NOW}")
        for path in (tmp_path / ".tinymagic" / "frozen").iterdir():
            os.unlink(path)
        assert value(connected, f"%%tbsql --freeze\n{NOW}") != first
