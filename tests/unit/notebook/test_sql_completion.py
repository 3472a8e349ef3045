"""What Tab offers in SQL: tables, columns through aliases, CTEs, nodes and subqueries, functions, templates."""

from __future__ import annotations

import json

import pytest

from tinymagic.notebook.sql_completion import Query, SqlNames, Tables, offers, offers_in_cell, words
from tinymagic.notebook.sql_completion.scope import output_of, scope_at

TRIPS = (("fare", "Float64"), ("day", "Date"), ("my col", "String"), ("dep_delay", "Int16"))
NAMES = SqlNames(
    Tables({"trips": TRIPS, "zones": (("zone", "String"), ("borough", "String")), "odd-name": (("a", "Int8"),)}),
    {
        "top": Query("SELECT z, n AS number FROM counted", {"counted": "SELECT zone AS z, count() AS n FROM zones"}),
        "saved": Query("SELECT day, fare * 2 AS twice FROM trips"),
        "ring": Query("SELECT * FROM gnir"),
        "gnir": Query("SELECT * FROM ring"),
    },
    {"top": "pipe"},
    variables=("carrier", "limit_of_mine"),
    secrets=("password_of_s3",),
)


def at(text, names=NAMES):
    """What is offered where the | stands."""
    place = text.index("|")
    return offers(text[:place] + text[place + 1 :], place, names)


def texts(text, *kinds):
    return [each.text for each in at(text) if not kinds or each.kind in kinds]


class TestColumns:
    @pytest.mark.parametrize(
        "text",
        [
            "SELECT | FROM trips",
            "SELECT t.| FROM trips AS t",
            "SELECT t.| FROM trips t",
            "SELECT trips.| FROM trips FINAL WHERE 1",
            "SELECT 1 FROM trips WHERE |",
            "SELECT 1 FROM zones JOIN trips AS t ON t.|",
            "SELECT a FROM trips WHERE (fare > 1 AND |)",
            "WITH big AS (SELECT * FROM trips) SELECT | FROM big",
            "WITH big AS (SELECT * FROM trips), more AS (SELECT * FROM big) SELECT m.| FROM more AS m",
            "SELECT * FROM (SELECT | FROM trips)",
            "SELECT i.| FROM (SELECT * FROM trips) AS i",
            "SELECT 1 FROM zones WHERE zone IN (SELECT | FROM trips)",
            "SELECT zone FROM zones UNION ALL SELECT | FROM trips",
            "SELECT zone, (1 + |) FROM trips",
            "-- a comment with FROM zones\nSELECT | FROM trips",
            "%\nSELECT | FROM trips WHERE fare > {{Int32(n)}}",
        ],
    )
    def test_of_the_tables_that_are_read(self, text):
        assert texts(text, "column")[:4] == ["fare", "day", "`my col`", "dep_delay"]

    def test_types_are_told(self):
        assert next((each.text, each.detail) for each in at("SELECT da| FROM trips")) == ("day", "Date")

    def test_what_is_written_is_replaced(self):
        found = at("SELECT fa| FROM trips")[0]
        assert (found.start, found.end, found.text) == (7, 9, "fare")
        assert at("SELECT `m| FROM trips")[0].start == 7
        assert texts("SELECT FA| FROM trips")[0] == "fare"

    def test_two_tables(self):
        assert texts("SELECT z.| FROM trips t JOIN zones z ON t.day = z.zone") == ["zone", "borough"]
        assert texts("SELECT zo| FROM trips t, zones", "column") == ["zone"]

    def test_names_inside(self):
        assert "dep_delay" in texts("SELECT delay| FROM trips")

    def test_of_queries_by_name(self):
        assert texts("SELECT t.| FROM top AS t") == ["z", "number"]
        assert texts("SELECT s.| FROM saved AS s") == ["day", "twice"]
        assert output_of("SELECT * FROM top", NAMES) == (("z", "String"), ("number", ""))

    def test_own_names(self):
        assert "total" in texts("SELECT fare * 2 AS total FROM trips ORDER BY |", "column")

    def test_service_datasources(self):
        assert "pipe_name" in texts("SELECT p.| FROM tinybird.pipe_stats_rt AS p")
        assert "datasources_ops_log" in texts("SELECT 1 FROM tinybird.|")

    def test_before_the_from_clause(self):
        assert next((each.text, each.detail) for each in at("SELECT far|")) == ("fare", "Float64 of trips")

    def test_rings_end(self):
        assert texts("SELECT r.| FROM ring AS r") == []
        deep = "SELECT * FROM (" * 30 + "trips" + ")" * 30
        assert output_of(deep, NAMES) == ()


class TestOthers:
    def test_tables(self):
        assert texts("SELECT * FROM |", "table", "pipe", "node")[:7] == [
            "gnir",
            "ring",
            "saved",
            "top",
            "`odd-name`",
            "trips",
            "zones",
        ]
        assert texts("SELECT * FROM trips, zo|") == ["zones"]
        assert texts("SELECT * FROM trips JOIN zo|") == ["zones"]
        assert texts("WITH zoom AS (SELECT 1) SELECT * FROM zo|") == ["zoom", "zones"]
        assert texts("DESCRIBE zo|") == ["zones"]
        assert [(each.text, each.kind) for each in at("SELECT * FROM to|")][:1] == [("top", "pipe")]

    def test_functions_with_their_arguments(self):
        found = {each.text: each.detail for each in at("SELECT toStartOfHou| FROM trips")}
        assert found["toStartOfHour"] == "(datetime)"
        assert texts("SELECT sumI| FROM trips") == ["sumIf"]
        assert "hostName" not in texts("SELECT hostN| FROM trips")

    def test_words_of_the_language(self):
        assert texts("SELECT fare FROM trips whe|") == ["when", "where"]
        assert texts("SELECT * FROM trips ORDER |") == ["BY"]
        assert texts("SELECT fare fr|") == ["from"]
        assert "FROM" in texts("SELECT * FR|")

    def test_types(self):
        assert texts("SELECT fare::Floa|") == ["Float32", "Float64"]
        assert "Decimal" in texts("SELECT CAST(fare AS Dec|")
        assert "DateTime64" in texts("SELECT {moment:Date|")

    @pytest.mark.parametrize(
        "text",
        ["SELECT 'fa|", "SELECT 1 -- fa|", "SELECT 1 /* fa|", "SELECT fare AS |", "SELECT 1 LIMIT |", "SELECT 12|"],
    )
    def test_nothing(self, text):
        assert at(text) == []

    def test_variables_of_the_notebook(self):
        assert texts("SELECT * FROM trips WHERE day = {{ car|") == ["carrier"]
        assert [each.text for each in offers("SELECT {{ carrier | id", 22, NAMES)] == ["ident"]

    def test_templates(self):
        assert texts("%\nSELECT {{ Int32(size, 5) }}, {{ si|") == ["size"]
        assert texts("%\nSELECT {{tb_secret('pass|") == ["password_of_s3"]
        found = {each.text: each.detail for each in at("%\nSELECT {{ Int3|")}
        assert "default" in found["Int32"]
        assert "defined" in texts("%\nSELECT 1 {% if def|")
        assert texts("%\nSELECT {{ Int32(size) }}, | FROM trips")[0] == "fare"

    def test_without_anything_known(self):
        nothing = SqlNames()
        assert "toStartOfHour" in [each.text for each in at("SELECT toStart|", nothing)]
        assert "SELECT" in [each.text for each in at("SEL|", nothing)]


#: What people have in front of them while they write; nothing of it may fail.
ODD = [
    "",
    "(",
    "SELECT",
    "SELECT ((((",
    "SELECT )",
    "WITH",
    "WITH a AS (",
    "WITH a AS (SELECT",
    "SELECT * FROM",
    "SELECT * FROM (",
    "SELECT a.b.c.",
    "SELECT `",
    'SELECT "',
    "SELECT {{",
    "SELECT {%",
    "%",
    "SELECT $$ x",
    "SELECT 1 UNION",
    "SELECT * EXCEPT (a) FROM trips",
    "SELECT \ud83d\ude00 FROM trips".encode("utf-16", "surrogatepass").decode("utf-16"),
    "FROM trips SELECT",
    "SELECT a FROM trips ARRAY JOIN x AS",
    "INSERT INTO",
    "]]]",
    "}}",
    "SELECT 1 FROM trips AS",
    "SELECT 1,,,,",
    "SELECT 1 FROM ,,,",
]


@pytest.mark.parametrize("text", ODD)
def test_what_is_not_finished(text):
    for place in range(len(text) + 1):
        for offer in offers(text, place, NAMES):
            assert 0 <= offer.start <= offer.end == place


class TestCells:
    def cell(self, text, **known):
        place = text.index("|")
        found = offers_in_cell(
            text[:place] + text[place + 1 :],
            place,
            lambda: NAMES,
            lambda kind, before: {"profile": ["work"], "pipe": ["top"], "name": ["df"]}.get(kind, ()),
            **known,
        )
        return None if found is None else [each.text for each in found]

    def test_python_is_left_alone(self):
        assert self.cell("import o|") is None
        assert self.cell("# %tbsql SELECT |") is None
        assert self.cell("df = %tbsql SELECT fare FROM trips\ndf.|") is None
        assert self.cell("%%sql\nSELECT |") is None
        assert self.cell("%%tb|sql\nSELECT 1") is None

    def test_the_body(self):
        assert self.cell("%%tbsql df\nSELECT fa| FROM trips")[0] == "fare"
        assert self.cell("\n  %%tbsql --limit 5 -o df\nSELECT t.|\nFROM trips AS t")[0] == "fare"
        assert self.cell("%%sql\nSELECT fa| FROM trips", alias=True)[0] == "fare"

    def test_sql_on_the_line(self):
        assert self.cell("%%tbsql SELECT fa|\nFROM trips")[0] == "fare"
        assert self.cell("df = %tbsql SELECT fa| FROM trips")[0] == "fare"
        assert self.cell("x = 1\n%tbsql --limit 5 SELECT fa| FROM trips\ny = 2")[0] == "fare"

    def test_options(self):
        assert self.cell("%%tbsql --lim|\nSELECT 1") == ["--limit"]
        assert self.cell("%%tbsql df --sho|\nSELECT 1") == ["--show", "--show-sql"]
        assert self.cell("%%tbsql --type po|\nSELECT 1") == ["polars"]
        assert self.cell("%%tbsql --profile w|\nSELECT 1") == ["work"]
        assert self.cell("%%tbsql --with sa|\nSELECT 1") == ["saved"]
        assert self.cell("%%tbsql --plot bar --x da|\nSELECT day, count() AS n FROM trips GROUP BY day") == ["day"]
        assert self.cell("%%tbsql --plot bar --y day,n|\nSELECT day, count() AS n FROM trips GROUP BY day") == ["n"]
        assert "--limit" in self.cell("%tbsql --li|")


def test_words_are_those_of_the_engine():
    """The file is written by docs/completion_words.py; another version of the engine has other functions."""
    from docs.completion_words import TARGET
    from docs.completion_words import words as made

    written = json.loads(TARGET.read_text("utf-8"))
    found = made()
    if found["clickhouse"] == written["clickhouse"]:
        assert json.loads(json.dumps(found)) == written
    else:
        assert len(set(found["functions"]) & set(written["functions"])) > 1_000
    assert written["service_datasources"] == json.loads(json.dumps(found["service_datasources"]))


def test_template_functions_are_those_of_the_embedded_tinybird():
    """Each one that is offered is one that a template may call."""
    from tinymagic.local.template.grammar import OUTPUT_FUNCTIONS

    assert set(words.template_functions()) <= OUTPUT_FUNCTIONS


def test_scope_of_nothing():
    assert scope_at("", 0, NAMES).tables == ()
