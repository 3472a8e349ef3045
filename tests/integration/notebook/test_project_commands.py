"""A project folder and a Workspace: ``%tinybird pull``, ``deploy``, ``build``, ``pipe export`` and ``pipe cells``."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from tests.faults import FaultProxy, status
from tinymagic.errors import DeploymentRequired, Forbidden, NotFound
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.project.folder import read_project

PROJECTS = Path(__file__).parents[2] / "projects"

EVENTS = """DESCRIPTION >
    What people do

SCHEMA >
    `ts` DateTime `json:$.ts`,
    `page` String `json:$.page`

ENGINE "MergeTree"
ENGINE_SORTING_KEY "page, ts"
"""

PAGES = """NODE counted
DESCRIPTION >
    By page

SQL >
    %
    SELECT page, count() AS visits FROM events WHERE page != {{String(without, '')}} GROUP BY page

NODE sorted
SQL >
    SELECT * FROM counted ORDER BY page

TYPE endpoint
"""


@pytest.fixture
def own(connected, api, tokens, monkeypatch):
    """IPython, connected to a Workspace of its own."""
    name = f"project_{uuid.uuid4().hex[:10]}"
    made = api.post("/v1/workspaces", params={"name": name}, token=tokens["user_token"])
    assert made.status_code == 200, made.text
    monkeypatch.setenv("TB_TOKEN", made.json()["token"])
    yield connected
    api.request("DELETE", f"/v1/workspaces/{made.json()['id']}", token=tokens["user_token"])


@pytest.fixture
def answers(monkeypatch):
    """Answer the questions of `input` in turn, and keep them; without answers nobody is there."""

    class Answers(list):
        asked = ()

    given = Answers()

    def answer(question=""):
        given.asked = (*given.asked, question)
        if not given:
            raise EOFError
        return given.pop(0)

    monkeypatch.setattr("builtins.input", answer)
    return given


def fill(folder, files):
    """Write the files of a project."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def everything(folder):
    """Return the texts of all files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def defined(own):
    """The same, with a Data Source and an endpoint."""
    own.ok("""%tinybird datasource create events --schema 'ts DateTime, page String' --sorting-key 'page, ts'""")
    own.ok("""%tinybird pipe create pages --sql "SELECT page, count() AS visits FROM events GROUP BY page" --publish""")
    return own


class TestPull:
    def test_writes_everything_into_a_new_folder(self, defined, tmp_path):
        ran = defined.ok("%tinybird pull project")
        assert "Wrote 2 files" in ran.printed
        assert ran.value[["name", "change", "file"]].values.tolist() == [
            ["events", "new", "datasources/events.datasource"],
            ["pages", "new", "endpoints/pages.pipe"],
        ]
        text = (tmp_path / "project/endpoints/pages.pipe").read_text()
        assert "SQL >\n    SELECT page" in text
        assert text.endswith("TYPE endpoint\n")
        assert set(everything(tmp_path / "project")) == {"datasources/events.datasource", "endpoints/pages.pipe"}

    def test_again_changes_nothing(self, defined, tmp_path):
        defined.ok("%tinybird pull project")
        before = everything(tmp_path / "project")
        ran = defined.ok("%tinybird pull project")
        assert set(ran.value.change) == {"same"}
        assert "Wrote 0 files" in ran.printed
        assert everything(tmp_path / "project") == before

    def test_a_file_that_says_the_same_in_other_words_is_left_alone(self, defined, tmp_path):
        text = "# mine\nENGINE MergeTree\nENGINE_SORTING_KEY page,ts\nSCHEMA >\n  ts DateTime,\n\n  `page` String\n"
        fill(tmp_path, {"anywhere/events.datasource": text})
        frame = defined.ok("%tinybird pull .").value
        assert frame.set_index("name").change["events"] == "same"
        assert (tmp_path / "anywhere/events.datasource").read_text() == text

    @pytest.mark.parametrize("way", ["nobody", "no"])
    def test_a_changed_file_is_kept_unless_somebody_says_so(self, defined, tmp_path, answers, way):
        mine = "NODE mine\nSQL >\n    SELECT 1\n"
        fill(tmp_path, {"pipes/pages.pipe": mine})
        if way == "no":
            answers.append("n")
            assert "stay as they are" in defined.ok("%tinybird pull .").printed
            assert (tmp_path / "datasources/events.datasource").exists()
        else:
            assert "--yes" in str(defined.run("%tinybird pull .").error)
            assert not (tmp_path / "datasources").exists()
        assert "pipes/pages.pipe" in answers.asked[0]
        assert (tmp_path / "pipes/pages.pipe").read_text() == mine

    @pytest.mark.parametrize("option", ["--force", "--yes", "-y"])
    def test_a_changed_file_is_overwritten_where_it_stands(self, defined, tmp_path, option):
        fill(tmp_path, {"pipes/pages.pipe": "NODE mine\nSQL >\n    SELECT 1\n"})
        frame = defined.ok(f"%tinybird pull . {option}").value
        assert frame.set_index("name").change["pages"] == "changed"
        assert "FROM events" in (tmp_path / "pipes/pages.pipe").read_text()
        assert not (tmp_path / "endpoints").exists()

    def test_what_came_while_it_asked_is_kept(self, defined, tmp_path, monkeypatch):
        path = tmp_path / "pipes/pages.pipe"
        fill(tmp_path, {"pipes/pages.pipe": "NODE mine\nSQL >\n    SELECT 1\n"})

        def answer(question):
            path.write_text("NODE newer\nSQL >\n    SELECT 2\n")
            return "y"

        monkeypatch.setattr("builtins.input", answer)
        assert "in the meantime" in defined.ok("%tinybird pull .").printed
        assert "newer" in path.read_text()

    def test_files_without_a_resource_are_named_and_kept(self, defined, tmp_path):
        fill(tmp_path, {"pipes/gone.pipe": "NODE a\nSQL >\n    SELECT 1\n"})
        frame = defined.ok("%tinybird pull .").value.set_index("name")
        assert frame.change["gone"] == "only here"
        assert (tmp_path / "pipes/gone.pipe").exists()

    def test_diff_writes_nothing(self, defined, tmp_path):
        fill(tmp_path, {"pipes/pages.pipe": "NODE mine\nSQL >\n    SELECT 1\n"})
        before = everything(tmp_path)
        ran = defined.ok("%tinybird pull . --diff")
        assert "-NODE mine" in ran.printed
        assert "+    SELECT page, count() AS visits FROM events GROUP BY page" in ran.printed
        assert "+SCHEMA >" in ran.printed
        assert everything(tmp_path) == before

    def test_a_file_in_the_place_of_the_folder(self, defined, tmp_path):
        (tmp_path / "project").write_text("x")
        assert "is a file" in str(defined.run("%tinybird pull project").error)

    def test_a_folder_that_cannot_be_made(self, defined, tmp_path):
        fill(tmp_path, {"project/a.pipe": "NODE a\nSQL >\n    SELECT 1\n", "project/datasources": "x"})
        ran = defined.run("%tinybird pull project")
        assert isinstance(ran.error, CellProblem)
        assert "cannot be written" in str(ran.error)


class TestExport:
    def test_prints(self, defined):
        printed = defined.ok("%tinybird pipe export pages").printed
        assert printed.startswith("NODE ")
        assert printed.endswith("TYPE endpoint\n")

    def test_writes(self, defined, tmp_path, answers):
        printed = defined.ok("%tinybird pipe export pages --to project").printed
        assert "project/endpoints/pages.pipe" in printed
        assert "%tinybird deploy project" in printed
        path = tmp_path / "project/endpoints/pages.pipe"
        assert "FROM events" in path.read_text()
        assert "already" in defined.ok("%tinybird pipe export pages --to project").printed
        path.write_text("NODE mine\nSQL >\n    SELECT 1\n")
        answers.append("n")
        assert "Nothing was written" in defined.ok("%tinybird pipe export pages --to project").printed
        assert "mine" in path.read_text()
        defined.ok("%tinybird pipe export pages --to project --yes")
        assert "FROM events" in path.read_text()

    @pytest.mark.parametrize("command", ["export", "cells"])
    def test_of_none(self, defined, command):
        ran = defined.run(f"%tinybird pipe {command} pagess")
        assert isinstance(ran.error, NotFound)
        assert "There is no Pipe 'pagess'." in ran.card[0]
        assert "Did you mean pages?" in "\n".join(ran.card)


class TestCells:
    def test_one_node_becomes_the_next_cell(self, defined, monkeypatch):
        given = []
        monkeypatch.setattr(defined.shell, "set_next_input", lambda text, replace=False: given.append(text))
        defined.ok("%tinybird pipe cells pages")
        assert len(given) == 1
        assert given[0].startswith("%%tbsql --save pages_0\nSELECT page")
        assert list(defined.ok(given[0]).value.columns) == ["page", "visits"]

    def test_several_nodes_are_printed_too(self, own, tmp_path, monkeypatch):
        given = []
        monkeypatch.setattr(own.shell, "set_next_input", lambda text, replace=False: given.append(text))
        fill(tmp_path, {"p.pipe": "NODE a\nSQL >\n    SELECT 1 AS n\n\nNODE b\nSQL >\n    SELECT n + 1 AS m FROM a\n"})
        own.ok("%tinybird pipe create two p.pipe")
        printed = own.ok("%tinybird pipe cells two").printed
        assert given == ["%%tbsql --save a\nSELECT 1 AS n"]
        assert "%%tbsql --save b\nSELECT n + 1 AS m FROM a" in printed
        own.ok(given[0])
        assert own.ok("%%tbsql --save b\nSELECT n + 1 AS m FROM a").value.m.tolist() == [2]

    def test_a_notebook_and_back(self, own, tmp_path):
        fill(tmp_path, {"p.pipe": PAGES, "datasources/events.datasource": EVENTS})
        own.ok("%tinybird datasource create events --schema 'ts DateTime, page String'")
        own.ok("%tinybird pipe create pages p.pipe")
        own.ok("%tinybird datasource ls")
        own.ok("%tinybird pipe cells pages --to pages.ipynb")
        written = nbformat.read(tmp_path / "pages.ipynb", as_version=4)
        nbformat.validate(written)
        code = [cell.source for cell in written.cells if cell.cell_type == "code"]
        assert [text.split("\n")[0] for text in code] == [
            "%load_ext tinymagic",
            "%%tbsql --save counted",
            "%%tbsql --save sorted",
        ]
        assert "By page" in [cell.source for cell in written.cells]
        for text in code[1:]:
            own.ok(text)
        again = next(line.strip() for line in written.cells[-1].source.split("\n") if "pipe create" in line)
        before = own.ok("%tinybird pipe export pages").printed
        own.ok(f"{again} --yes")
        after = own.ok("%tinybird pipe export pages").printed
        assert after == before.replace("DESCRIPTION >\n    By page\n\n", "")

    def test_a_notebook_is_not_overwritten_unasked(self, defined, tmp_path):
        (tmp_path / "pages.ipynb").write_text("mine")
        assert "--yes" in str(defined.run("%tinybird pipe cells pages --to pages.ipynb").error)
        assert (tmp_path / "pages.ipynb").read_text() == "mine"
        defined.ok("%tinybird pipe cells pages --to pages.ipynb --yes")
        assert json.loads((tmp_path / "pages.ipynb").read_text())["nbformat"] == 4
        assert ".ipynb" in str(defined.run("%tinybird pipe cells pages --to pages.txt").error)


class TestFromCells:
    def test_needed_cells_come_in_front(self, own):
        own.ok("%%tbsql --save base\nSELECT number AS n FROM numbers(5)")
        own.ok("%%tbsql -S odd\nSELECT n FROM base WHERE n % 2 = 1")
        own.ok("%tinybird pipe create odd_numbers --from-cells odd --publish")
        nodes = own.ok("nodes = %tinybird pipe show odd_numbers") and own["nodes"]
        assert nodes.node.tolist() == ["base", "odd"]
        assert own.ok("%tinybird pipe data odd_numbers").value.n.tolist() == [1, 3]

    def test_of_none(self, own):
        own.ok("%%tbsql --save base\nSELECT 1 AS n")
        ran = own.run("%tinybird pipe create p --from-cells bas")
        assert "no saved cell 'bas'" in ran.card[0]
        assert "Did you mean base?" in "\n".join(ran.card)

    def test_of_one_with_a_notebook_variable(self, own):
        own.ok("least = 2")
        own.ok("%%tbsql --save base\nSELECT number AS n FROM numbers(5) WHERE n >= {{ least }}")
        ran = own.run("%tinybird pipe create p --from-cells base")
        assert "'least'" in str(ran.error)
        assert "p" not in own.ok("%tinybird pipe ls").value.name.tolist()


class TestSave:
    def test_later_cells_read_it(self, own):
        own.ok("%%tbsql --save base\nSELECT number AS n FROM numbers(5)")
        own.ok("%%tbsql -S odd -N\nSELECT n FROM base WHERE n % 2 = 1;")
        assert own.ok("%tbsql SELECT sum(n) AS s FROM odd JOIN base USING n").value.s.tolist() == [4]

    def test_own_ctes_are_left_alone(self, own):
        own.ok("%%tbsql --save base\nSELECT 1 AS n")
        assert own.ok("%tbsql WITH base AS (SELECT 7 AS n) SELECT n FROM base").value.n.tolist() == [7]
        assert own.ok("%tbsql WITH more AS (SELECT n + 1 AS m FROM base) SELECT m FROM more").value.m.tolist() == [2]

    def test_bindings_of_both(self, own):
        own.ok("least, most = 1, 3")
        own.ok("%%tbsql --save base\nSELECT number AS n FROM numbers(9) WHERE n >= {{ least }}")
        own.ok("least = 2")
        assert own.ok("%tbsql SELECT n FROM base WHERE n <= {{ most }}").value.n.tolist() == [2, 3]

    def test_templates(self, own):
        own.ok("%%tbsql --save base -p least=7\n%\nSELECT number AS n FROM numbers(9) WHERE n >= {{Int32(least, 0)}}")
        assert own.ok("%tbsql -p least=8 SELECT n FROM base").value.n.tolist() == [8]
        assert own.ok("%%tbsql -p top=1\n%\nSELECT n FROM base LIMIT {{Int32(top)}}").value.n.tolist() == [0]
        ran = own.run("most = 3\n%tbsql SELECT n FROM base WHERE n < {{ most }}")
        assert "put together with a template" in str(ran.error)

    def test_errors_are_in_the_cell(self, own):
        own.ok("%%tbsql --save base\nSELECT 1 AS n")
        ran = own.run("%%tbsql\nSELECT n\nFROM base\nWHERE nosuch = 1")
        shown = "\n".join(ran.card)
        assert "   4 | WHERE nosuch = 1" in shown

    def test_what_fails_is_not_kept(self, own):
        own.run("%%tbsql --save broken\nSELECT nosuch FROM nowhere")
        assert "no saved cell 'broken'" in str(own.run("%tbsql -w broken SELECT 1").error)

    def test_wanted_ones_come_in_front(self, own):
        own.ok("%%tbsql --save base -N\nSELECT 41 AS n")
        printed = own.ok("%tbsql --show-sql --with base SELECT 1 AS n").printed
        assert "WITH base AS" in printed

    @pytest.mark.parametrize(
        ("cell", "words"),
        [
            ("%%tbsql --save select\nSELECT 1", "reserved name"),
            ("%%tbsql --save a-b -N\nSELECT 1", "not a valid node name"),
            ("%%tbsql --save a -N\n-- nothing", "no SQL to save"),
            ("%%tbsql -N\nSELECT 1", "only together with --save"),
            ("%tbsql -w nosuch SELECT 1", "no saved cell 'nosuch'"),
        ],
    )
    def test_mistakes(self, own, cell, words):
        assert words in str(own.run(cell).error)

    def test_a_circle(self, own):
        own.ok("%%tbsql --save a -N\nSELECT * FROM b")
        assert "a circle" in str(own.run("%%tbsql --save b -N\nSELECT * FROM a").error)


# --- deploy and build -------------------------------------------------------------------------------------------------

PROJECT = {"datasources/events.datasource": EVENTS, "endpoints/pages.pipe": PAGES}


@pytest.fixture
def project(own, tmp_path):
    """IPython in a folder with a project, connected to an empty Workspace."""
    fill(tmp_path, PROJECT)
    return own


def resources(cells):
    """Return the names of Data Sources and Pipes of the Workspace."""
    sources = cells.ok("%tinybird datasource ls").value.name.tolist()
    return sorted(sources + cells.ok("%tinybird pipe ls").value.name.tolist())


class TestDeploy:
    @pytest.mark.parametrize("command", ["deploy", "build"])
    def test_a_project(self, project, command):
        ran = project.ok(f"%tinybird {command}")
        assert "2 new." in ran.printed
        assert ran.value.values.tolist() == [
            ["Data Source", "events", "new", "datasources/events.datasource"],
            ["Pipe", "pages", "new", "endpoints/pages.pipe"],
        ]
        assert resources(project) == ["events", "pages"]
        assert project.ok("%tinybird pipe data pages").value.shape[0] == 0
        again = project.ok(f"%tinybird {command}")
        assert "No changes" in again.printed
        assert len(again.value) == 0

    @pytest.mark.parametrize("command", ["deploy", "build"])
    def test_check_changes_nothing(self, project, command):
        ran = project.ok(f"%tinybird {command} --check")
        assert "This was a check" in ran.printed
        assert ran.value.name.tolist() == ["events", "pages"]
        assert resources(project) == []

    def test_only_tokens_change(self, project, tmp_path):
        project.ok("%tinybird deploy")
        fill(tmp_path, {"endpoints/pages.pipe": f'TOKEN "reader" READ\n\n{PAGES}'})
        ran = project.ok("%tinybird deploy")
        assert "reader" in ran.value.name.tolist()
        assert "1 token" in ran.printed

    @pytest.mark.parametrize("command", ["deploy", "build", "deploy --check"])
    @pytest.mark.parametrize(
        ("path", "text", "where", "words", "near"),
        [
            (
                "pipes/bad.pipe",
                "NODE a\nSQL >\n    SELECT 1\n    FROM evnts\n\nTYPE endpoint\n",
                "pipes/bad.pipe",
                "evnts",
                "Did you mean events?",
            ),
            ("pipes/bad.pipe", "NODE a\nSQL >\n    SELECT 1\n\nTYPE endpont\n", "pipes/bad.pipe:5", "endpont", ""),
            ("datasources/bad.datasource", "SCHEMA >\n    a Strin\n", "datasources/bad.datasource:1", "Strin", ""),
            (
                "datasources/bad.datasource",
                "SCHEMA >\n    a String\n\nENGINE_SORTNG_KEY a\n",
                "datasources/bad.datasource:4",
                "ENGINE_SORTING_KEY",
                "",
            ),
        ],
    )
    def test_mistakes(self, project, tmp_path, command, path, text, where, words, near):
        fill(tmp_path, {path: text})
        ran = project.run(f"%tinybird {command}")
        shown = "\n".join(ran.card)
        assert isinstance(ran.error, CellProblem)
        assert "Nothing was" in shown
        assert where in shown
        assert words in shown
        assert near in shown
        assert len(ran.card) <= 8
        assert resources(project) == []

    def test_a_mistake_in_an_included_file(self, project, tmp_path):
        fill(
            tmp_path,
            {
                "datasources/bad.datasource": 'SCHEMA >\n    a String\n\nINCLUDE "../parts/engine.incl" "KEY=a"\n',
                "parts/engine.incl": "ENGINE MergeTree\nENGINE_SORTNG_KEY $KEY\n",
            },
        )
        shown = "\n".join(project.run("%tinybird deploy").card)
        assert "parts/engine.incl:2" in shown
        fill(tmp_path, {"parts/engine.incl": "ENGINE MergeTree\nENGINE_SORTING_KEY $KEY\n"})
        project.ok("%tinybird deploy")
        exported = project.ok("%tinybird pull pulled") and (tmp_path / "pulled/datasources/bad.datasource").read_text()
        assert 'ENGINE_SORTING_KEY "a"' in exported

    def test_an_include_of_a_file_that_is_not_there(self, project, tmp_path):
        (tmp_path.parent / "secret.incl").write_text("ENGINE MergeTree")
        for path in ("nosuch.incl", "../../secret.incl", ".tinyb.incl"):
            fill(tmp_path, {"datasources/bad.datasource": f'INCLUDE "{path}"\nSCHEMA >\n    a String\n'})
            fill(tmp_path, {".tinyb.incl": "ENGINE MergeTree"})
            error = str(project.run("%tinybird deploy").error)
            assert "datasources/bad.datasource:1" in error
            assert "is not there" in error

    def test_many_mistakes(self, project, tmp_path):
        fill(tmp_path, {f"pipes/bad{n}.pipe": f"NODE a\nSQL >\n    SELECT * FROM nosuch{n}\n" for n in range(9)})
        ran = project.run("%tinybird deploy")
        assert "9 problems" in ran.card[0]
        assert "and 5 more" in "\n".join(ran.card)

    def test_files_that_are_none(self, project, tmp_path):
        fill(
            tmp_path,
            {
                ".tinyb": '{"token": "p.abc"}',
                ".hidden/bad.pipe": "NODE",
                "vendor/other/datasources/bad.datasource": "SCHEMA",
                "node_modules/x/bad.pipe": "x",
                "fixtures/events.ndjson": "{}",
                ".bad.pipe": "NODE",
            },
        )
        assert project.ok("%tinybird deploy").value.name.tolist() == ["events", "pages"]

    def test_no_folder_and_no_project(self, own, tmp_path):
        assert "is not there" in str(own.run("%tinybird deploy nosuch").error)
        assert "no datafile" in str(own.run("%tinybird deploy").error)
        (tmp_path / "latin.pipe").write_bytes(b"NODE a\nSQL SELECT '\xe9'")
        assert "latin.pipe:2: the file is not UTF-8" in str(own.run("%tinybird deploy").error)

    def test_waiting_for_promotion(self, project):
        ran = project.ok("%tinybird deploy --no-promote --wait")
        assert "deployment promote" in ran.printed
        assert resources(project) == []


class TestDeleting:
    @pytest.fixture
    def full(self, project, tmp_path):
        """The same, deployed and with rows; the Data Source's file and what reads it are gone."""
        project.ok("%tinybird deploy")
        project.ok("import pandas as pd")
        project.ok("rows = pd.DataFrame({'ts': pd.to_datetime(['2026-01-01'] * 3), 'page': ['a', 'b', 'c']})")
        project.ok("%tinybird datasource append events rows")
        (tmp_path / "datasources/events.datasource").unlink()
        (tmp_path / "endpoints/pages.pipe").unlink()
        fill(tmp_path, {"pipes/other.pipe": "NODE a\nSQL >\n    SELECT 1 AS one\n"})
        return project

    def test_is_refused_without_the_option(self, full):
        ran = full.run("%tinybird deploy --yes")
        assert "%tinybird deploy --allow-destructive" in "\n".join(ran.card)
        assert resources(full) == ["events", "pages"]

    @pytest.mark.parametrize("command", ["deploy --allow-destructive", "build"])
    def test_is_asked_about(self, full, command, answers):
        assert "--yes" in str(full.run(f"%tinybird {command}").error)
        assert "the Data Source events with 3 rows" in answers.asked[0]
        assert "the Pipe pages" in answers.asked[0]
        answers.append("n")
        assert "Nothing was" in full.ok(f"%tinybird {command}").printed
        assert full.ok("%tbsql SELECT count() AS n FROM events").value.n.tolist() == [3]
        answers.append("y")
        assert full.ok(f"%tinybird {command}").value.change.tolist().count("deleted") == 2
        assert resources(full) == ["other"]


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["web_analytics", "ecommerce", "iot", "leaderboard", "logs_explorer", "odd_bits_classic", "odd_bits_forward"],
)
def test_there_and_back(own, tmp_path, name):
    """What is deployed and pulled is what the files say; deployed again it changes nothing."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECTS / name, folder)
    before = everything(folder)
    own.ok("%tinybird deploy project")
    frame = own.ok("%tinybird pull project").value
    assert set(frame.change) <= {"same", "new"}
    # A materialized node can make its Data Source without a file.
    new = frame[frame.change == "new"].file.tolist()
    assert new == (["datasources/item_totals.datasource"] if name == "leaderboard" else [])
    assert {path: text for path, text in everything(folder).items() if path not in new} == before
    for path in new:
        (folder / path).unlink()
    assert "No changes" in own.ok("%tinybird deploy project").printed

    own.ok("%tinybird pull fresh")
    written, known = read_project(tmp_path / "fresh"), read_project(folder)
    assert {Path(path).name for path in written.files} >= {Path(path).name for path in known.files}
    if name == "odd_bits_forward":
        return  # Its connections name secrets that nobody has set.
    own.ok("%tinybird deploy fresh")
    assert set(own.ok("%tinybird pull project").value.change) <= {"same", "new"}
    assert "No changes" in own.ok("%tinybird deploy fresh").printed


class TestTo:
    """``--to FOLDER`` writes what a command would make, and makes nothing."""

    def test_a_data_source(self, own, tmp_path):
        own.ok("%tinybird datasource create sales --schema 'day Date, amount Float64' --sorting-key day --to project")
        text = (tmp_path / "project/datasources/sales.datasource").read_text()
        assert "ENGINE_SORTING_KEY" in text
        assert resources(own) == []
        own.ok("%tinybird deploy project")
        assert resources(own) == ["sales"]

    def test_a_data_source_of_rows(self, own, tmp_path):
        own.ok("import pandas as pd\nrows = pd.DataFrame({'day': ['a'], 'amount': [1]})")
        own.ok("%tinybird datasource create first --from-df rows --to project")
        (tmp_path / "two.csv").write_text("day,amount\n2026-01-01,1\n")
        own.ok("%tinybird datasource create two --file two.csv --to project")
        assert "`amount` Int" in (tmp_path / "project/datasources/first.datasource").read_text()
        assert "day Date" in (tmp_path / "project/datasources/two.datasource").read_text()
        own.ok("%tinybird deploy project")
        assert resources(own) == ["first", "two"]

    def test_a_pipe(self, own, tmp_path):
        own.ok("%tinybird pipe create first --sql 'SELECT 1 AS n' --publish --to project")
        assert (tmp_path / "project/endpoints/first.pipe").read_text().endswith("TYPE endpoint\n")
        assert resources(own) == []
        own.ok("%tinybird deploy project")
        assert own.ok("%tinybird pipe data first").value.n.tolist() == [1]

    def test_saved_cells(self, own, tmp_path):
        own.ok("%%tbsql --save base\nSELECT 1 AS n")
        own.ok("%%tbsql --save more\nSELECT n + 1 AS m FROM base")
        own.ok("%tinybird pipe create two --from-cells more --to project")
        assert (tmp_path / "project/pipes/two.pipe").read_text().startswith("NODE base\nSQL >\n    SELECT 1 AS n\n")

    def test_what_is_there_is_asked_about(self, own, tmp_path, answers):
        command = "%tinybird pipe create first --sql 'SELECT 2 AS n' --to project"
        fill(tmp_path, {"project/mine/first.pipe": "NODE a\nSQL >\n    SELECT 1\n"})
        assert "--yes" in str(own.run(command).error)
        answers.append("n")
        assert "Nothing was written" in own.ok(command).printed
        own.ok(f"{command} --yes")
        assert "SELECT 2" in (tmp_path / "project/mine/first.pipe").read_text()
        assert not (tmp_path / "project/pipes").exists()

    @pytest.mark.parametrize(
        "noun", ["pipe create select --sql 'SELECT 1'", "datasource create select --schema 'a Date'"]
    )
    def test_a_name_that_cannot_be(self, own, tmp_path, noun):
        assert "reserved name" in str(own.run(f"%tinybird {noun} --to project").error)
        assert not (tmp_path / "project").exists()


class TestForward:
    """A Workspace that takes changes by deployments only."""

    SAYS = b'{"error": "Data Sources can only be changed through deployments. Use `tb deploy`."}'

    def test_the_definition_is_printed_and_can_be_deployed(self, own, server, tmp_path, monkeypatch):
        with FaultProxy(server.host) as proxy:
            proxy.on("POST", "/v0/datasources", replace(status(400), body=self.SAYS), always=True)
            monkeypatch.setenv("TB_HOST", proxy.host)
            create = "%tinybird datasource create sales --schema 'day Date, amount Float64' --sorting-key day"
            ran = own.run(create)
            assert isinstance(ran.error, DeploymentRequired)
            assert "# datasources/sales.datasource\nSCHEMA >\n    day Date,\n    amount Float64" in ran.printed
            assert "%tinybird deploy FOLDER" in "\n".join(ran.card)
            own.ok(f"{create} --to project")
            own.ok("%tinybird deploy project")
            assert resources(own) == ["sales"]

    def test_a_token_that_may_not_deploy(self, own, tmp_path, monkeypatch, api):
        fill(tmp_path, PROJECT)
        wish = {"name": "only_sources", "scope": "DATASOURCES:CREATE"}
        reply = api.post("/v0/tokens", params=wish, token=os.environ["TB_TOKEN"])
        monkeypatch.setenv("TB_TOKEN", reply.json()["token"])
        assert isinstance(own.run("%tinybird deploy").error, Forbidden)
