"""What users of JupySQL, ipython-sql and bigquery-magics have in their fingers, and the budget of queries a day."""

from __future__ import annotations

import pandas as pd
import pytest

from tinymagic.notebook.cells.budget import counter
from tinymagic.notebook.problems import CellProblem

NAME = "familiar_trips"


@pytest.fixture
def trips(connected, workspace):
    """A Data Source with three rows."""
    workspace.datasources.create(NAME, "carrier String, delay Int32")
    workspace.datasources.append(NAME, [{"carrier": each, "delay": n} for n, each in enumerate(("AA", "B6", "DL"))])
    yield connected
    workspace.datasources.delete(NAME)


class TestJupySql:
    def test_assignment_with_arrows(self, trips):
        trips.ok(f"%%tbsql result <<\nSELECT carrier FROM {NAME} ORDER BY carrier")
        assert trips["result"].carrier.tolist() == ["AA", "B6", "DL"]
        trips.ok(f"%tbsql result << SELECT count() AS n FROM {NAME}")
        assert trips["result"].n.tolist() == [3]
        trips.ok(f"result = %tbsql SELECT max(delay) AS most FROM {NAME}")
        assert trips["result"].most.tolist() == [2]

    def test_shown_and_assigned(self, trips):
        ran = trips.ok(f"%%tbsql result= <<\nSELECT count() AS n FROM {NAME}")
        assert trips["result"].n.tolist() == [3]
        assert ran.displays or ran.value is not None

    def test_saved_queries(self, trips):
        trips.ok(f"%%tbsql --save late --no-execute\nSELECT * FROM {NAME} WHERE delay > 0")
        assert trips.ok("%%tbsql --with late\nSELECT count() AS n FROM late").value.n.tolist() == [2]

    def test_persist(self, trips, workspace):
        trips.shell.user_ns["familiar_kept"] = pd.DataFrame({"a": [1, 2]})
        trips.ok("%tbsql --persist familiar_kept --no-index")
        try:
            trips.ok("%tbsql --append familiar_kept --no-index")
            assert workspace.sql("SELECT count() AS n FROM familiar_kept").n.tolist() == [4]
            trips.ok("%tbsql --persist-replace familiar_kept --no-index --yes")
            assert workspace.sql("SELECT count() AS n FROM familiar_kept").n.tolist() == [2]
        finally:
            workspace.datasources.delete("familiar_kept")

    def test_a_file(self, trips, clean_settings):
        (clean_settings / "count.sql").write_text(f"SELECT count() AS n FROM {NAME}")
        assert trips.ok("%tbsql --file count.sql").value.n.tolist() == [3]

    def test_variables_in_double_braces(self, trips):
        trips.ok("least = 1")
        ran = trips.ok(f"%%tbsql\nSELECT count() AS n FROM {NAME} WHERE delay >= {{{{ least }}}}")
        assert ran.value.n.tolist() == [2]


class TestIpythonSql:
    def test_a_semicolon_shows_nothing(self, trips):
        ran = trips.ok(f"%%tbsql\nSELECT count() AS n FROM {NAME};")
        assert (ran.displays, ran.printed) == ([], "")

    def test_its_name(self, trips):
        trips.ok("%config TinyMagic.alias_sql = True")
        trips.ok(f"%%sql result <<\nSELECT count() AS n FROM {NAME}")
        assert trips["result"].n.tolist() == [3]
        trips.ok(f"n = %sql SELECT count() AS n FROM {NAME}")
        assert trips["n"].n.tolist() == [3]

    def test_colons_and_dollars_are_no_variables(self, trips):
        trips.ok("carrier = 'AA'")
        assert trips.ok("%tbsql SELECT ':carrier' AS a, '$carrier' AS b").value.a.tolist() == [":carrier"]


class TestBigquery:
    def test_target_first(self, trips):
        trips.ok(f"%%tbsql result --max_results 2\nSELECT carrier FROM {NAME} ORDER BY carrier")
        assert trips["result"].carrier.tolist() == ["AA", "B6"]

    def test_params_of_json_and_of_a_dictionary(self, trips):
        sql = f"%\nSELECT count() AS n FROM {NAME} WHERE delay >= {{{{Int32(least)}}}}"
        assert trips.ok("%%tbsql --params '{\"least\": 2}'\n" + sql).value.n.tolist() == [1]
        trips.ok("given = {'least': 0}")
        assert trips.ok(f"%%tbsql --params $given\n{sql}").value.n.tolist() == [3]

    def test_dry_run(self, trips):
        ran = trips.ok(f"%%tbsql --dry_run\nSELECT count() FROM {NAME}")
        assert "Nothing was run." in ran.printed


class TestBudgetOfTheDay:
    @pytest.fixture(autouse=True)
    def own_cache(self, monkeypatch, tmp_path):
        monkeypatch.setenv("TINYMAGIC_CACHE_HOME", str(tmp_path / "cache"))

    def test_what_is_over_it_is_not_sent(self, trips, server):
        trips.ok("%config TinyMagic.daily_queries = 2")
        trips.ok("%tbsql SELECT 1 AS one")
        trips.ok("%%tbsql --dry-run\nSELECT 1")
        trips.ok("%tbsql SELECT 2 AS two")
        ran = trips.run("%tbsql SELECT 3 AS three")
        assert isinstance(ran.error, CellProblem)
        assert "2 were sent" in str(ran.error)
        assert counter(server.host).stat().st_size == 2
        trips.ok("%config TinyMagic.daily_queries = 3")
        assert trips.ok("%tbsql SELECT 3 AS three").value.three.tolist() == [3]

    def test_without_one_nothing_is_counted(self, trips, server):
        trips.ok("%tbsql SELECT 1 AS one")
        assert not counter(server.host).exists()

    def test_yesterday_is_forgotten(self, trips, server):
        path = counter(server.host)
        path.parent.mkdir(parents=True)
        old = path.with_name("2020-01-01" + path.name[10:])
        old.write_bytes(b"." * 1_000)
        trips.ok("%config TinyMagic.daily_queries = 5")
        trips.ok("%tbsql SELECT 1 AS one")
        assert not old.exists()

    def test_a_live_cell_that_would_spend_it_is_not_begun(self, trips, server):
        trips.ok("%config TinyMagic.daily_queries = 3")
        ran = trips.run("%%tbsql --every 1s --for 1m\nSELECT 1 AS one")
        assert isinstance(ran.error, CellProblem)
        assert "would send 61 queries, and 3 are left" in str(ran.error)
        assert not counter(server.host).exists()
        trips.ok("%%tbsql --every 300ms --for 400ms\nSELECT 1 AS one")
        assert counter(server.host).stat().st_size == 2

    def test_a_cached_result_costs_nothing(self, trips):
        trips.ok("%config TinyMagic.daily_queries = 1")
        trips.ok(f"%%tbsql --cache 10m\nSELECT count() AS n FROM {NAME}")
        assert trips.ok(f"%%tbsql --cache 10m\nSELECT count() AS n FROM {NAME}").value.n.tolist() == [3]
