"""Analyze: shapes that are read, and what is sent of a file."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymagic.api.analyze import SAMPLE_BYTES, Analysis
from tinymagic.api.errors import InvalidInput, PayloadTooLarge

#: The example of analyze.md section 3.
REPLY = {
    "analysis": {
        "columns": [
            {"path": "$.tags[:]", "recommended_type": "Array(String)", "present_pct": 2, "name": "tags"},
            {"path": "$.user.zip", "recommended_type": "String", "present_pct": 0.5, "name": "user_zip"},
        ],
        "schema": "tags Array(String) `json:$.tags[:]`, user_zip Nullable(String) `json:$.user.zip`",
    },
    "preview": {
        "meta": [{"name": "tags", "type": "Array(String)"}, {"name": "user_zip", "type": "Nullable(String)"}],
        "data": [{"tags": ["a", "b"], "user_zip": "28001"}, {"tags": [], "user_zip": None}],
        "rows": 2,
    },
    "new_in_2027": 1,
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["columns", "meta", "data", "name", "type", "schema", "a"]), inner)
    ),
    max_leaves=15,
)


class TestShapes:
    def test_everything(self):
        found = Analysis.of(REPLY)
        assert [each.name for each in found.columns] == ["tags", "user_zip"]
        assert [each.null_share for each in found.columns] == [None, 0.5]
        assert found.schema.startswith("tags Array(String)")
        assert found.types["user_zip"] == "Nullable(String)"
        assert found.raw["new_in_2027"] == 1
        frame = found.preview_frame()
        assert frame.tags.tolist() == [["a", "b"], []]
        assert frame.user_zip.isna().tolist() == [False, True]

    def test_nothing_but_a_schema(self):
        found = Analysis.of({"analysis": {"schema": "a Int8"}})
        assert (found.schema, found.columns, found.preview, dict(found.dialect)) == ("a Int8", (), (), {})
        assert len(found.preview_frame()) == 0

    def test_a_preview_without_types_or_with_wrong_ones(self):
        rows = {"data": [{"a": "x"}]}
        assert Analysis.of({"preview": rows}).preview_frame().a.tolist() == ["x"]
        wrong = {**rows, "meta": [{"name": "a", "type": "DateTime"}]}
        assert Analysis.of({"preview": wrong}).preview_frame().a.tolist() == ["x"]

    @given(st.dictionaries(st.sampled_from(["analysis", "preview", "dialect"]), json_values))
    def test_any_json_is_read(self, reply):
        found = Analysis.of(reply)
        assert isinstance(found.preview_frame(), pd.DataFrame)
        for column in found.columns:
            assert column.null_share is None or 0 <= column.null_share <= 1


class TestWhatIsSent:
    @pytest.fixture
    def sent(self, ws, server):
        server.on("/v0/analyze", server.answer(REPLY))

        def send(data, **options):
            ws.analyze.file(data, **options)
            return server.seen[-1]

        return send

    def test_a_small_file_is_sent_as_it_is(self, sent):
        request = sent(b"a,b\n1,2")
        assert request.body == b"a,b\n1,2"
        assert request.headers["content-type"].startswith("text/csv")
        assert request.query == {}

    def test_a_large_one_is_cut_at_a_line_end(self, sent, tmp_path):
        path = tmp_path / "a.ndjson"
        path.write_bytes(b'{"a": "some text"}\n' * 200_000)
        body = sent(path).body
        assert SAMPLE_BYTES - 20 < len(body) <= SAMPLE_BYTES
        assert body.endswith(b"}\n")

    def test_a_line_that_is_longer_than_the_sample(self, sent):
        assert len(sent(b'{"a": "' + b"x" * 2_000_000).body) == SAMPLE_BYTES

    def test_gzip_is_opened(self, sent):
        assert sent(gzip.compress(b"a,b\n" * 1_000_000)).body.endswith(b"a,b\n")

    def test_parquet_is_sent_whole(self, sent):
        content = b"PAR1" + b"\0" * (SAMPLE_BYTES + 10)
        request = sent(content)
        assert request.body == content
        assert request.headers["content-type"] == "application/vnd.apache.parquet"

    def test_parquet_over_the_limit_is_not(self, ws, server):
        with pytest.raises(PayloadTooLarge):
            ws.analyze.file(b"PAR1" + b"\0" * 50_000_001)
        assert not server.seen

    @pytest.mark.parametrize("data", [b"", b"  \n", 7, "none.csv"])
    def test_what_cannot_be(self, ws, server, data):
        with pytest.raises(InvalidInput):
            ws.analyze.file(data)
        assert not server.seen

    def test_url(self, ws, server):
        server.on("/v0/analyze", server.answer(REPLY))
        ws.analyze.url("https://example.com/a b.csv?x=1&y=2")
        assert server.seen[0].query == {"url": "https://example.com/a b.csv?x=1&y=2"}
        assert (server.seen[0].method, server.seen[0].body) == ("POST", b"")
