"""``%tinybird events`` and the commands of ``datasource`` that send rows, in a real IPython."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from tests import faults
from tinymagic import errors
from tinymagic.notebook.problems import CellProblem

_numbers = itertools.count()


@pytest.fixture
def pages(connected):
    """A Data Source of the test's own; its name."""
    name = f"pages_{next(_numbers)}"
    connected.ok(
        f"%tinybird datasource create {name} --schema 'n Int64 `json:$.n`, page Nullable(String) `json:$.page`'"
    )
    yield name
    connected.shell.user_ns.pop("rows", None)
    connected.ok(f"%tinybird datasource rm {name} --yes")


def there(cells, name):
    return cells.ok(f"_there = %tbsql SELECT n FROM {name} ORDER BY n") and cells["_there"].n.tolist()


class TestSend:
    @pytest.mark.parametrize(
        "line",
        [
            '{"n": 1, "page": "it\'s / of $x"}',
            '[{"n": 1}]',
            "'{\"n\": 1}'",
            '--batch 5 {"n": 1}',
            '{"n": 1} --batch 5 --wait',
            '{"n": 1} --no-wait',
        ],
    )
    def test_json_on_the_line(self, connected, pages, line):
        printed = connected.ok(f"%tinybird events send {pages} {line}").printed
        assert printed.startswith(f"{pages}: 1 row ")
        assert there(connected, pages) == [1]

    @pytest.mark.parametrize(
        "code",
        [
            "{'n': 1}",
            "[{'n': 1}]",
            "({'n': n} for n in [1])",
            "pd.DataFrame({'n': [1]})",
            "pa.table({'n': [1]})",
            "pathlib.Path('one.ndjson')",
            "'one.ndjson'",
        ],
    )
    @pytest.mark.parametrize("sign", ["", "$"])
    def test_variables(self, connected, pages, code, sign, clean_settings):
        (clean_settings / "one.ndjson").write_text('{"n": 1}\n')
        connected.ok(f"import pandas as pd, pyarrow as pa, pathlib\nrows = {code}")
        assert "1 row stored." in connected.ok(f"%tinybird events send {pages} {sign}rows").printed
        assert there(connected, pages) == [1]

    def test_a_file(self, connected, pages, clean_settings):
        (clean_settings / "a.ndjson").write_text('{"n": 1}\n{"n": 2}\n')
        assert "2 rows stored." in connected.ok(f"%tinybird events send {pages} a.ndjson --batch 1").printed

    def test_reasons_are_a_table(self, connected, pages):
        ran = connected.ok(f'%tinybird events send {pages} [{{"n": 1}}, {{"n": "x"}}, {{"n": "y"}}]')
        assert "1 row stored, 2 rows in quarantine" in ran.printed
        assert f"%tinybird datasource quarantine {pages}" in ran.printed
        assert ran.value.columns.tolist() == ["column", "why in quarantine", "rows", "example"]
        assert ran.value.iloc[0, :3].tolist() == ["n", "value on column 'n' is not Int64", 2]

    @pytest.mark.parametrize(
        ("rest", "words"),
        [
            ("{'n': 1}", "no JSON"),
            ('{"n": 1} {"n": 2}', "one word too many"),
            ("rows more", "one word too many"),
            ("number", "'number' is int"),
            ("rovs", "Did you mean rows?"),
            ("$rovs", "Did you mean $rows?"),
            ("", "missing"),
            ('{"n": 1} --wait --no-wait', "contradict"),
        ],
    )
    def test_mistakes(self, connected, pages, rest, words):
        connected.ok("rows = [{'n': 1}]\nnumber = 5")
        ran = connected.run(f"%tinybird events send {pages} {rest}")
        assert isinstance(ran.error, CellProblem)
        assert words in "\n".join(ran.card)
        assert there(connected, pages) == []

    def test_a_name_that_is_not_there(self, connected, pages):
        ran = connected.run(f"%tinybird datasource append {pages}s x.csv")
        assert isinstance(ran.error, errors.TinybirdError)


class TestBroken:
    @pytest.fixture
    def proxied(self, connected, server, monkeypatch):
        with faults.FaultProxy(server.host) as proxy:
            monkeypatch.setenv("TB_HOST", proxy.host)
            yield proxy

    def test_what_was_stored_is_said_and_the_rest_sent_again(self, connected, proxied, pages):
        connected.ok("rows = [{'n': n} for n in range(10)]")
        proxied.on("POST", "/v0/events", None, faults.status(400))
        ran = connected.run(f"%tinybird events send {pages} rows --batch 4")
        assert isinstance(ran.error, errors.BadRequest)
        assert f"{pages}: 4 rows stored, 6 rows not stored." in ran.printed
        assert "%tinybird events retry" in ran.printed
        assert ran.error.report.failed == 6
        assert "10 rows stored." in connected.ok("%tinybird events retry").printed
        assert there(connected, pages) == list(range(10))
        assert isinstance(connected.run("%tinybird events retry").error, CellProblem)

    def test_rows_whose_fate_is_not_known_are_sent_again_only_when_asked(self, connected, proxied, pages):
        proxied.on("POST", "/v0/events", faults.reset_before())
        connected.run(f'%tinybird events send {pages} {{"n": 1}}')
        assert there(connected, pages) == []
        assert "not known" in connected.ok("%tinybird events retry").printed
        assert there(connected, pages) == []
        assert "Look for doubles" in connected.ok("%tinybird events retry --include-unknown").printed
        assert there(connected, pages) == [1]

    def test_it_goes_on_when_asked(self, connected, proxied, pages):
        connected.ok("rows = [{'n': n} for n in range(6)]")
        proxied.on("POST", "/v0/events", None, faults.status(400))
        printed = connected.ok(f"%tinybird events send {pages} rows --batch 2 --go-on").printed
        assert "4 rows stored, 2 rows not stored" in printed
        connected.ok("%tinybird events retry")
        assert there(connected, pages) == list(range(6))

    def test_an_interrupt_is_truthful(self, connected, pages):
        connected.ok("def rows():\n    yield from ({'n': n} for n in range(5))\n    raise KeyboardInterrupt\n")
        ran = connected.run(f"%tinybird events stream {pages} rows")
        assert isinstance(ran.error, KeyboardInterrupt)
        assert "Interrupted. 5 rows stored." in ran.printed
        assert there(connected, pages) == list(range(5))


class TestStream:
    @pytest.mark.parametrize("code", ["({'n': n} for n in range(5))", "lambda: ({'n': n} for n in range(5))"])
    def test_until_the_end(self, connected, pages, code):
        connected.ok(f"rows = {code}")
        printed = connected.ok(f"%tinybird events stream {pages} rows --batch 2 --every 0.5").printed
        assert "5 rows stored." in printed
        assert there(connected, pages) == list(range(5))

    @pytest.mark.parametrize("code", ["5", "'text'", "{'n': 1}"])
    def test_what_is_no_generator(self, connected, pages, code):
        connected.ok(f"rows = {code}")
        assert "generator" in "\n".join(connected.run(f"%tinybird events stream {pages} rows").card)


class TestDatasource:
    def test_append(self, connected, pages, clean_settings):
        (clean_settings / "a.csv").write_text("n,page\n1,a\n2,b\n")
        printed = connected.ok(f"%tinybird datasource append {pages} a.csv --batch 1").printed
        assert printed.strip() == f"{pages}: 2 rows stored."
        printed = connected.ok(f"%tinybird datasource append {pages} a.csv --via job").printed
        assert "2 rows stored." in printed
        printed = connected.ok(f"%tinybird datasource append {pages} a.csv --via job --no-wait").printed
        assert "%tinybird job wait" in printed

    def test_append_a_url(self, connected, pages, clean_settings):
        import functools
        import http.server
        import threading

        (clean_settings / "a.csv").write_text("n,page\n1,a\n2,b\n")

        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        handler = functools.partial(Quiet, directory=str(clean_settings))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
            threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
            line = f"%tinybird datasource append {pages} http://127.0.0.1:{site.server_port}/a.csv"
            assert "2 rows stored." in connected.ok(line).printed
            site.shutdown()
        assert there(connected, pages) == [1, 2]

    def test_replace(self, connected, pages, clean_settings):
        connected.ok(f'%tinybird events send {pages} [{{"n": 1}}, {{"n": 2}}]')
        connected.shell.user_ns["rows"] = pd.DataFrame({"n": [3]})
        assert (
            "1 row stored." in connected.ok(f"%tinybird datasource replace {pages} rows --where 'n > 1' --yes").printed
        )
        assert there(connected, pages) == [1, 3]
        (clean_settings / "a.csv").write_text("n\n9\n")
        connected.ok(f"%tinybird datasource replace {pages} a.csv --job --yes")
        assert there(connected, pages) == [9]

    def test_create_says_how_it_is_sorted(self, connected):
        connected.shell.user_ns["rows"] = pd.DataFrame({"country": ["es", "nl"] * 20, "2024": range(40)})
        printed = connected.ok("%tinybird datasource create sorted_pages --from-df rows").printed
        assert "40 rows stored." in printed
        assert "Sorted by country" in printed
        assert "'2024' is c_2024" in printed
        connected.ok("%tinybird datasource rm sorted_pages --yes")

    @pytest.mark.parametrize("verb", ["append", "replace"])
    def test_a_misspelt_name(self, connected, pages, verb):
        connected.shell.user_ns["rows"] = pd.DataFrame({"n": [3]})
        ran = connected.run(f"%tinybird datasource {verb} {pages}x rows")
        assert isinstance(ran.error, errors.NotFound)
        assert pages in "\n".join(ran.card)
