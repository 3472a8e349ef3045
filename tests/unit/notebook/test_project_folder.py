"""What of a folder is a project, and how its mistakes are told."""

from __future__ import annotations

import os

import pytest

from tinymagic.api.deployment_results import DeploymentResult
from tinymagic.notebook.commands.writing import write_text
from tinymagic.notebook.problems import CellProblem
from tinymagic.notebook.project import folder as project_folder
from tinymagic.notebook.project.connections import connection_file, same_connection, with_settings_of
from tinymagic.notebook.project.folder import read_project
from tinymagic.notebook.project.problems import project_problem
from tinymagic.notebook.project.pulling import Definition, compare


@pytest.fixture
def project(tmp_path):
    """A folder with a Data Source, whose engine is included, and a Pipe."""
    (tmp_path / "a.datasource").write_text('SCHEMA >\n    x Int8\n\nINCLUDE "e.incl" "KEY=x"\n')
    (tmp_path / "e.incl").write_text("# the engine\nENGINE MergeTree\nENGINE_SORTING_KEY $KEY\n")
    (tmp_path / "reads_it.pipe").write_bytes(b"\xef\xbb\xbfNODE first_part\r\nSQL >\r\n    SELECT x FROM a\r\n")
    return tmp_path


class TestReading:
    def test_included_lines_are_sent(self, project):
        found = read_project(project)
        assert list(found.files) == ["a.datasource", "reads_it.pipe"]
        assert "ENGINE_SORTING_KEY x" in found.texts()["a.datasource"]
        assert "INCLUDE" not in found.texts()["a.datasource"]
        assert found.texts()["reads_it.pipe"].startswith("NODE first_part\nSQL >\n")
        assert found.files["a.datasource"].origin(6) == ("e.incl", 3)
        assert found.files["a.datasource"].origin(2) == ("a.datasource", 2)
        assert found.path_of("Pipe", "reads_it") == "reads_it.pipe"
        assert found.path_of("Data Source", "reads_it") is None

    def test_a_link_out_of_the_project_is_not_included(self, project, tmp_path_factory):
        outside = tmp_path_factory.mktemp("outside") / "token.incl"
        outside.write_text("secret")
        (project / "e.incl").unlink()
        os.symlink(outside, project / "e.incl")
        with pytest.raises(CellProblem, match=r"a\.datasource:4: .*not there"):
            read_project(project)

    def test_an_include_that_is_no_path(self, project):
        (project / "a.datasource").write_text('INCLUDE "e\0.incl"\n')
        with pytest.raises(CellProblem, match=r"a\.datasource:1: .*not there"):
            read_project(project)

    def test_a_folder_that_is_too_large(self, project, monkeypatch):
        monkeypatch.setattr(project_folder, "MOST_FILES", 1)
        with pytest.raises(CellProblem, match="the folder of one project"):
            read_project(project)

    def test_a_file_that_is_too_large(self, project, monkeypatch):
        monkeypatch.setattr(project_folder, "_LARGEST", 30)
        with pytest.raises(CellProblem, match="is it a datafile"):
            read_project(project)


class TestProblems:
    def told(self, project, *errors, error=""):
        """Return the sentence for errors of the service."""
        result = DeploymentResult.of({"result": "failed", "deployment": {"errors": list(errors)}, "error": error})
        return project_problem(read_project(project), result, "deployed")

    def test_a_line_of_an_included_file(self, project):
        problem = self.told(project, {"filename": "a.datasource", "error": "line 6: no column 'x'."})
        assert str(problem).split("\n")[1:] == ["e.incl:3: no column 'x'.", "   3 | ENGINE_SORTING_KEY x"]

    def test_near_names_are_of_the_project(self, project):
        assert self.told(project, {"filename": "reads_it.pipe", "error": "Unknown 'first_prt'"}).suggestions == (
            "first_part",
        )
        assert self.told(project, {"filename": "reads_it.pipe", "error": "Unknown 'reads_it'"}).suggestions == ()

    @pytest.mark.parametrize(
        "error",
        [None, 3, {}, "words", {"filename": None, "error": None}, {"filename": "nosuch.pipe", "error": "line 99: x"}],
    )
    def test_any_shape(self, project, error):
        assert str(self.told(project, error)).startswith("Nothing was deployed")

    def test_no_reason(self, project):
        assert str(self.told(project)) == "Nothing was deployed. The service gave no reason."
        assert str(self.told(project, error="It is late.")) == "Nothing was deployed. It is late."


class TestConnections:
    TOLD = connection_file("lake", "s3", {"s3_region": "eu-west-1"})

    def test_secrets_are_named(self):
        assert self.TOLD == (
            'TYPE s3\nS3_REGION eu-west-1\nS3_ACCESS_KEY {{ tb_secret("lake_s3_access_key") }}\n'
            'S3_SECRET {{ tb_secret("lake_s3_secret") }}\n'
        )

    def test_only_what_both_tell_is_compared(self):
        mine = 'TYPE S3\nS3_REGION eu-west-1\nS3_SECRET {{ tb_secret("mine") }}\nS3_ENDPOINT http://x\n'
        assert same_connection(self.TOLD, mine)
        assert not same_connection(self.TOLD, mine.replace("eu-west-1", "us-east-1"))
        assert not same_connection(self.TOLD, "TYPE kafka\n")

    def test_names_of_secrets_stay(self):
        mine = 'TYPE s3\nS3_REGION us-east-1\nS3_SECRET {{ tb_secret("mine") }}\n'
        assert with_settings_of(self.TOLD, mine) == mine.replace("us-east-1", "eu-west-1")


class TestComparing:
    FILE = "SCHEMA >\n    a String\n\nENGINE MergeTree\n\nKAFKA_TOPIC t\nKAFKA_CONNECTION_NAME c\n"

    def compared(self, tmp_path, told):
        """Return the comparison of the file with what a service tells."""
        (tmp_path / "a.datasource").write_text(self.FILE)
        found = [Definition("Data Source", "a", told, "datasources/a.datasource")]
        return compare(read_project(tmp_path), found)[0]

    def test_where_rows_come_from_is_kept_when_it_is_not_told(self, tmp_path):
        untold = 'SCHEMA >\n    `a` String\n\nENGINE "MergeTree"\n'
        assert self.compared(tmp_path, untold).change == "same"
        changed = self.compared(tmp_path, untold.replace("String", "Int8"))
        assert changed.change == "changed"
        assert "KAFKA_TOPIC t" in changed.text
        assert "-    a String" in changed.difference()

    def test_where_rows_come_from_is_compared_when_it_is_told(self, tmp_path):
        told = 'SCHEMA >\n    `a` String,\n    `__value` String\n\nENGINE "MergeTree"\n\nKAFKA_TOPIC {}\n'
        assert self.compared(tmp_path, f"{told.format('t')}KAFKA_CONNECTION_NAME c\n").change == "same"
        assert self.compared(tmp_path, told.format("u")).change == "changed"


class TestWriting:
    def test_a_failure_keeps_what_is_there(self, tmp_path, monkeypatch):
        path = tmp_path / "a.pipe"
        write_text(path, "old")

        def full(*_args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pathlib.Path.replace", full)
        with pytest.raises(CellProblem, match="No space left"):
            write_text(path, "new")
        assert path.read_text() == "old"
        assert [each.name for each in tmp_path.iterdir()] == ["a.pipe"]

    def test_rights_stay(self, tmp_path):
        path = tmp_path / "a.pipe"
        write_text(path, "old")
        path.chmod(0o640)
        write_text(path, "new")
        assert path.stat().st_mode & 0o777 == 0o640
