"""Named cells: what a text reads, and what is put in front of it."""

from __future__ import annotations

import pytest

from tinymagic.notebook.nodes import NodeStore, tables_read
from tinymagic.notebook.problems import CellProblem


@pytest.fixture
def store():
    """Three nodes: b reads a, c is a template."""
    store = NodeStore()
    store.save("a", "SELECT 1 AS x;")
    store.save("b", "SELECT x FROM a -- all of it")
    store.save("c", "%\nSELECT {{Int32(n, 1)}} AS x")
    return store


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT * FROM a", ["a"]),
        ('select * from `a` join "b" using x', ["a", "b"]),
        ("SELECT * FROM (SELECT * FROM a), b AS z", ["a", "b"]),
        ("SELECT x FROM t, a WHERE x IN b", ["a", "b"]),
        ("FROM a SELECT x", ["a"]),
        ("SELECT a, b FROM t", []),
        ("SELECT x, a FROM t ORDER BY y, b", []),
        ("SELECT 'FROM a' /* FROM a */ FROM t -- FROM a", []),
        ("SELECT * FROM a.t JOIN b(1) ON 1", []),
        ("WITH a AS (SELECT 1) SELECT * FROM a JOIN b ON 1", ["b"]),
        ("WITH z AS (SELECT * FROM a), b AS (SELECT 2) SELECT * FROM z, b", ["a"]),
        ("WITH 1 AS a SELECT * FROM b", ["b"]),
        ("%\nSELECT * FROM a WHERE {{Int32(n)}} > 0", ["a"]),
        ("SELECT * FROM A", []),
    ],
)
def test_what_is_read(sql, read):
    """Only tables count, and none that the text itself defines."""
    assert tables_read(sql, {"a", "b"}) == read


class TestComposing:
    def test_nothing_to_put_in_front(self, store):
        composed = store.compose("SELECT * FROM t")
        assert composed.text == "SELECT * FROM t"
        assert composed.nodes == ()
        assert composed.position_in_source(7) == 7

    def test_in_the_order_in_which_they_read_each_other(self, store):
        composed = store.compose("SELECT * FROM b JOIN a USING x")
        assert composed.nodes == ("a", "b")
        assert composed.text.startswith("WITH a AS (\nSELECT 1 AS x\n), b AS (\nSELECT x FROM a\n)\nSELECT")

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM b WHERE x",
            "-- note\n  SELECT * FROM b WHERE x",
            "WITH q AS (SELECT 1) SELECT * FROM b, q WHERE x",
            "/* one */ with q AS (SELECT 1) SELECT * FROM b, q WHERE x",
            "%\nSELECT * FROM b WHERE x",
            "%WITH q AS (SELECT 1) SELECT * FROM b WHERE x",
        ],
    )
    def test_places_in_the_text_are_found(self, store, sql):
        composed = store.compose(sql)
        for word in ("SELECT *", "FROM b", "WHERE x"):
            assert composed.position_in_source(composed.text.rindex(word)) == sql.rindex(word)
        assert composed.position_in_source(composed.text.index("1 AS x")) is None

    def test_templates(self, store):
        assert (
            store.compose("SELECT * FROM c").text == "%\nWITH c AS (\nSELECT {{Int32(n, 1)}} AS x\n)\nSELECT * FROM c"
        )
        assert store.compose("%\nSELECT * FROM a").text.startswith("%\nWITH a AS (")
        with pytest.raises(CellProblem, match="This cell binds"):
            store.compose("SELECT * FROM c WHERE x = {{ y }}")
        store.save("d", "SELECT {{ y }} AS x")
        with pytest.raises(CellProblem, match="The saved cell 'd' binds"):
            store.compose("%\nSELECT * FROM d")

    def test_a_node_that_reads_its_own_name_means_the_table(self, store):
        store.save("events", "SELECT * FROM events WHERE x")
        assert store.needed("events") == ["events"]
        assert store.compose("SELECT * FROM events LIMIT 1", name="events").nodes == ()

    def test_wanted_nodes(self, store):
        assert store.compose("SELECT 1", wanted=["b"]).nodes == ("a", "b")


class TestSaving:
    def test_the_format_is_no_part(self, store):
        store.save("d", "SELECT 1 FORMAT JSON;")
        assert store["d"] == "SELECT 1"

    def test_a_circle_is_refused_and_nothing_changes(self, store):
        with pytest.raises(CellProblem, match="a reads b reads a|b reads a reads b"):
            store.save("a", "SELECT * FROM b")
        assert store["a"] == "SELECT 1 AS x"

    @pytest.mark.parametrize("sql", ["", " ", "%", "-- x", "%\n", ";"])
    def test_no_sql(self, store, sql):
        with pytest.raises(CellProblem, match="no SQL"):
            store.save("z", sql)
        assert "z" not in store

    def test_dropping(self, store):
        store.drop("c")
        assert list(store) == ["a", "b"]
        assert len(store) == 2
        with pytest.raises(CellProblem, match="no saved cell 'c'"):
            store.drop("c")
