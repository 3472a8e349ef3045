"""The documentation says what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from tinymagic.notebook.arguments import TBSQL_OPTIONS
from tinymagic.notebook.command_table import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def reference():
    """Return docs/reference.py as a module."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_magics_is_up_to_date():
    """`python docs/reference.py` has been run since an option changed."""
    assert reference().PAGE.read_text(encoding="utf-8") == reference().page()


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
