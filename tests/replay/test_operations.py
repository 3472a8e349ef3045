"""No documented operation without a method of the client and a command of ``%tinybird``."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.replay.operations import OPERATIONS
from tinymagic.notebook.tree import COMMANDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "embedded_coverage.py"

#: Why an operation has no command, in a word, and what that means.
REASONS = {
    "cell": "the SQL magic does it",
    "login": "`login` and `local start` do it; it tells tokens",
    "probe": "for what watches a server, not for people",
    "page": "is opened in a browser",
    "streams": "there are no streams",
}

#: Reasons for which the client has no method either.
WITHOUT_METHOD = {"probe", "page", "streams"}


def documented():
    """The operations of the page, by section."""
    spec = importlib.util.spec_from_file_location("embedded_coverage", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.documented()


BY_NAME = {operation.name: operation for operation in OPERATIONS}
WORDS = {" ".join(command.words) for command in COMMANDS}


def test_the_table_is_the_documented_list():
    listed = {(section, each) for section, operations in documented().items() for each in operations}
    assert {(operation.api, operation.name) for operation in OPERATIONS} == listed
    assert [name for name, times in Counter(operation.name for operation in OPERATIONS).items() if times > 1] == []


@pytest.mark.parametrize("name", BY_NAME)
def test_each_has_a_method_and_a_command(name):
    operation = BY_NAME[name]
    if operation.same_as:
        other = BY_NAME[operation.same_as]
        assert other.call is not None
        assert (operation.call, operation.command, operation.why) == (None, "", "")
        return
    if (operation.call is None) != (operation.why in WITHOUT_METHOD):
        pytest.fail(f"{name} has no method of the client, and no reason for that")
    if operation.why:
        assert operation.why in REASONS
        assert not operation.command
    elif operation.command not in WORDS:
        pytest.fail(f"{name}: there is no command %tinybird {operation.command}")


def test_the_page_that_people_read_is_the_same():
    text = PAGE.with_name("embedded-coverage.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([A-Z]+ /[^`]*)`", text, re.MULTILINE)) == set(BY_NAME)
