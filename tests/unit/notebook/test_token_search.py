"""Tokens in notebooks and texts: found wherever they are, shown nowhere."""

from __future__ import annotations

import json

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.api.http.redaction import Secret
from tinymagic.notebook.token_search import Found, scrubbed, scrubbed_notebook, search_notebook, search_text

STATIC = "p.eyJ1IjogIm1hcmtlZCIsICJpZCI6ICJtYXJrZWQifQ.bWFya2VkLXNpZ25hdHVyZQ"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ3b3Jrc3BhY2VfaWQiOiJtYXJrZWQifQ.c2lnbmF0dXJlLW1hcmtlZA"
OWN = "a-token-of-another-form-0123456789"


def notebook():
    """Return a notebook with tokens at all places."""
    made = nbformat.v4.new_notebook()
    source = nbformat.v4.new_code_cell(f"import x\nws = connect('{STATIC}')")
    output = nbformat.v4.new_code_cell("print(1)")
    output.outputs = [
        nbformat.v4.new_output("stream", text=f"a\nb {JWT}\n"),
        nbformat.v4.new_output("error", ename="E", evalue="e", traceback=["x", f"y {OWN[:12]}"]),
        nbformat.v4.new_output("display_data", {"text/html": f"<b>{STATIC}</b>", "application/json": {"k": [STATIC]}}),
    ]
    output.metadata["note"] = {"deep": [JWT]}
    made.cells = [nbformat.v4.new_markdown_cell("# Nothing"), source, output]
    made.metadata["widgets"] = {"state": {"abc": {"value": STATIC}}}
    made.metadata["title"] = JWT
    return json.loads(nbformat.writes(made))


class TestNotebook:
    def test_every_place(self):
        found = set(search_notebook(notebook(), [Secret(OWN).redact]))
        assert found == {
            Found(2, 2, "source", "static token"),
            Found(3, 2, "output", "JWT"),
            Found(3, 1, "output", "piece of an own token"),
            Found(3, 1, "output", "static token"),
            Found(3, 1, "metadata", "JWT"),
            Found(None, 1, "widget state", "static token"),
            Found(None, 1, "metadata", "JWT"),
        }

    def test_scrubbed_is_a_notebook_without_them(self):
        own = [Secret(OWN).redact]
        text = scrubbed_notebook(notebook(), own)
        assert list(search_notebook(json.loads(text), own)) == []
        clean = nbformat.reads(text, as_version=4)
        nbformat.validate(clean)
        assert clean.cells[1].source == "import x\nws = connect('[hidden]')"
        assert clean.cells[0].source == "# Nothing"

    def test_what_is_clean_stays_as_it_is(self):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 'ü'\nb")])
        text = nbformat.writes(made) + "\n"
        assert scrubbed_notebook(json.loads(text), [Secret(OWN).redact]) == text

    def test_a_token_over_two_lines_of_a_list(self):
        """Some programs cut long lines."""
        value = {"cells": [{"source": ["x = '", STATIC[:20], STATIC[20:] + "'\n", "y"]}]}
        assert [each.what for each in search_notebook(value, [])] == ["static token"]
        assert "".join(json.loads(scrubbed_notebook(value, []))["cells"][0]["source"]) == "x = '[hidden]'\ny"

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["cells", "metadata", "source", "outputs", "a"]), inner, max_size=3)
            ),
            max_leaves=20,
        )
    )
    def test_any_json_is_taken(self, value):
        list(search_notebook(value, [Secret(OWN).redact]))
        assert json.loads(scrubbed_notebook(value, [])) == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("token=abc", []),
        ("Authorization: Bearer a-token-of-nobody", []),
        (f"x\n{STATIC} {STATIC}\n", [(2, "static token")]),
        (f"TB_TOKEN={JWT}", [(1, "JWT")]),
        (f"{STATIC} and {JWT}", [(1, "static token"), (1, "JWT")]),
        (OWN[5:13], [(1, "piece of an own token")]),
        (OWN[5:12], []),
    ],
)
def test_text(text, found):
    assert [(each.line, each.what) for each in search_text(text, [Secret(OWN).redact])] == found


def test_scrubbed_text_keeps_other_words():
    text = f"a token=whatever\n{OWN} {STATIC}\n"
    assert scrubbed(text, []) == f"a token=whatever\n{OWN} [hidden]\n"
    assert OWN[:8] not in scrubbed(text, [Secret(OWN).redact])
