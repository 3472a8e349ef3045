"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from tinymagic.notebook.cells.options import TBSQL_OPTIONS
from tinymagic.notebook.tree import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def reference(name="reference"):
    """Return a module of docs/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_magics_is_up_to_date():
    """`python docs/reference.py` has been run since an option changed."""
    assert reference().PAGE.read_text(encoding="utf-8") == reference().page()


def test_the_page_of_the_client_is_up_to_date():
    """`python docs/python_api.py` has been run since a method or the first line of its docstring changed."""
    page = reference("python_api")
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def test_every_method_of_the_client_says_what_it_does():
    """No line of the page is empty."""
    assert "|  |" not in reference("python_api").page()


def test_the_coverage_of_the_embedded_server_is_up_to_date():
    """`python docs/embedded_coverage.py` has been run since a route changed."""
    coverage = reference("embedded_coverage")
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page()


def test_every_route_is_a_documented_operation():
    """The list of operations lacks none that the server has, and names those that it refuses."""
    coverage = reference("embedded_coverage")
    operations = [each for section in coverage.documented().values() for each in section]
    assert len(operations) == len(set(operations))
    assert coverage.routes() <= {coverage.anonymous(each) for each in operations}
    assert set(coverage.REFUSED) <= set(operations)


def test_choices_are_whole():
    """Each line has an API, an operation and a choice."""
    coverage = reference("embedded_coverage")
    lines = coverage.CHOICES.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 40
    assert all(line.count(" | ") == 2 for line in lines)


def test_every_option_and_command_is_on_the_page():
    """Nothing that is understood is undocumented."""
    text = (ROOT / "docs" / "magics.md").read_text(encoding="utf-8").replace("\\|", "|")
    for option in TBSQL_OPTIONS:
        assert all(name in text for name in option.names), option
    for command in COMMANDS:
        assert f"%tinybird {command.usage()}" in text


def test_links_and_pictures_of_the_readme_exist():
    """No relative link leads nowhere."""
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_make_targets_of_the_readme_exist():
    """`make X` in the README is a target of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
