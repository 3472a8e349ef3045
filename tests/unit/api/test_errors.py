"""The error tree: every status of the contract, every shape of body, and no token anywhere."""

from __future__ import annotations

import inspect
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinymagic.errors
from tinymagic.api import errors
from tinymagic.api.errors import CLASS_OF_STATUS, ApiError, TinybirdError, class_of_status
from tinymagic.api.http.failures import failure_of, query_failure_of
from tinymagic.api.http.redaction import HIDDEN, PIECE, Secret
from tinymagic.api.http.replies import Reply

#: A static token in the vendor's form, with pieces that are easy to look for.
TOKEN = "p.eyJ1IjogIjEiLCAiaWQiOiAiMiIsICJob3N0IjogImF3cy11cy1lYXN0LTEifQ.MARKED-SIGNATURE-0123456789"

#: errors-and-limits.md section 2.
CONTRACT = [400, 403, 404, 405, 408, 409, 411, 413, 414, 415, 422, 429, 500, 502, 503, 504, 598, 599]


def reply(status, body=b"", **headers):
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, asked="GET /v0/x")


def json_reply(status, value, **headers):
    return reply(status, json.dumps(value).encode(), content_type="application/json", **headers)


def tree():
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, TinybirdError)]


class TestTree:
    @pytest.mark.parametrize("status", CONTRACT)
    def test_every_status_of_the_contract_has_a_class(self, status):
        assert status in CLASS_OF_STATUS
        error = failure_of(json_reply(status, {"error": "because"}))
        assert type(error) is CLASS_OF_STATUS[status]
        assert (error.status, error.message) == (status, "because")

    @pytest.mark.parametrize(("status", "name"), [(418, "ApiError"), (499, "ApiError"), (507, "ServerError")])
    def test_a_status_that_no_document_names_has_one_too(self, status, name):
        assert class_of_status(status).__name__ == name

    def test_statuses_that_mean_different_things_have_different_classes(self):
        shared = {401: 403, 598: 504, 599: 504}
        kinds = [kind for status, kind in CLASS_OF_STATUS.items() if status not in shared]
        assert len(set(kinds)) == len(kinds)
        assert all(CLASS_OF_STATUS[status] is CLASS_OF_STATUS[twin] for status, twin in shared.items())

    def test_the_drawing_shows_every_class_below_its_parent(self):
        drawn = {}
        stack = []
        for line in errors.__doc__.splitlines():
            if not line.startswith("    ") or not line.strip():
                continue
            text = line[4:].lstrip("|`- ")
            depth = len(line[4:]) - len(text)
            while stack and stack[-1][0] >= depth:
                stack.pop()
            drawn[text.split()[0]] = stack[-1][1] if stack else None
            stack.append((depth, text.split()[0]))
        assert set(drawn) == {kind.__name__ for kind in tree()}
        for kind in tree():
            if kind is not TinybirdError:
                assert drawn[kind.__name__] == kind.__bases__[0].__name__

    def test_all_are_public_and_sorted(self):
        assert tinymagic.errors.__all__ == sorted(kind.__name__ for kind in tree())
        assert all(getattr(tinymagic.errors, name) is getattr(errors, name) for name in tinymagic.errors.__all__)

    @pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
    def test_an_error_survives_pickling(self, kind):
        error = kind("text", status=400, request_id="r", sql="SELECT 1")
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.__dict__) == (kind, "text", error.__dict__)


BODIES = [
    (b"", "nothing more"),
    (b"plain words", "plain words"),
    (b"<html><head><title>502 Bad Gateway</title></head><body><h1>x</h1></body></html>", "502 Bad Gateway"),
    (b"<!doctype html><body><script>alert(1)</script><p>Gone &amp; lost</p></body>", "Gone & lost"),
    (b'{"error": "words"}', "words"),
    (b'{"error": "words", "documentation": "https://d"}', "words"),
    (b'{"error": null, "errors": ["a", "b"]}', "a; b"),
    (b'{"error": false}', "nothing more"),
    (b'{"error": {"code": 5}}', '{"code": 5}'),
    (b'{"result": "failed", "error": "e", "errors": [{"filename": "f.pipe", "error": "bad"}]}', "f.pipe: bad"),
    (b'{"error": "e", "errors": "one text"}', "one text"),
    (b'{"message": "aws style"}', "aws style"),
    (b"[1, 2]", "[1, 2]"),
    (b'"text"', "text"),
    (b"null", "null"),
    (b'{"error": "cut', '{"error": "cut'),
    (b"\xff\xfe\x00", "\ufffd"),
    (b"[" * 100_000, "["),
]


class TestBodies:
    @pytest.mark.parametrize(("body", "words"), BODIES, ids=range(len(BODIES)))
    @pytest.mark.parametrize("status", [400, 500])
    def test_any_body_becomes_a_sentence(self, status, body, words):
        error = failure_of(reply(status, body))
        assert words in str(error)
        assert f"GET /v0/x answered {status}" in str(error)
        assert "<" not in str(error)

    @given(st.binary(max_size=200) | st.from_type(dict).map(lambda value: repr(value).encode()))
    def test_no_body_is_too_strange(self, body):
        for status in (400, 403, 408, 429, 500):
            assert isinstance(failure_of(reply(status, body)), ApiError)
            assert isinstance(query_failure_of(reply(status, body), "SELECT 1"), ApiError)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["error", "errors", "documentation", "x"]), inner)
            ),
        )
    )
    def test_no_json_is_too_strange(self, value):
        assert isinstance(query_failure_of(json_reply(400, value), "SELECT 1"), ApiError)

    def test_attributes_come_along(self):
        error = failure_of(
            json_reply(400, {"error": "e", "errors": ["x", "y"], "documentation": "https://d"}, x_request_id="r-1")
        )
        assert (error.errors, error.documentation, error.request_id) == (("x", "y"), "https://d", "r-1")

    def test_a_rate_limit_says_when(self):
        error = failure_of(reply(429, b"", retry_after="7", x_ratelimit_limit="10", x_ratelimit_remaining="0"))
        assert (error.retry_after_s, error.limit, error.remaining) == (7, 10, 0)
        assert "Try again in 7 s." in str(error)


QUERY_ERRORS = [
    # status, text, class, position (bytes from 0), code name, number, named kind, named
    (
        400,
        "DB::Exception: Syntax error: failed at position 8 ('hello): 'hello. ",
        "QueryError",
        7,
        None,
        None,
        None,
        None,
    ),
    (
        400,
        "[Error] Missing columns: 'X' while processing query: 'SELECT X', required_columns: 'X'. (UNKNOWN_IDENTIFIER)",
        "QueryError",
        None,
        "UNKNOWN_IDENTIFIER",
        None,
        "column",
        "X",
    ),
    (
        400,
        "[Error] Cannot convert string 'hello' to type UInt64(TYPE_MISMATCH)",
        "QueryError",
        None,
        "TYPE_MISMATCH",
        None,
        None,
        None,
    ),
    (400, "[Error] x (NO_COMMON_TYPE) (query_id=abc-1)", "QueryError", None, "NO_COMMON_TYPE", None, None, None),
    (
        400,
        "[Error] Timeout exceeded: TIMEOUT_EXCEEDED (159)",
        "QueryTimeout",
        None,
        "TIMEOUT_EXCEEDED",
        159,
        None,
        None,
    ),
    (408, "Timeout exceeded", "QueryTimeout", None, None, None, None, None),
    (
        500,
        "[Error] Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)",
        "QueryError",
        None,
        "MEMORY_LIMIT_EXCEEDED",
        None,
        None,
        None,
    ),
    (500, "boom", "ServerError", None, None, None, None, None),
    (403, "Resource 'ghost_table' not found", "UnknownTable", None, None, None, "table", "ghost_table"),
    (403, "invalid authentication token", "Forbidden", None, None, None, None, None),
    (
        400,
        "DB::Exception: Unknown function sume. Maybe you meant: ['sum','sumIf']. Contact support",
        "QueryError",
        None,
        None,
        None,
        "function",
        "sume",
    ),
    (
        400,
        "[Error] Unknown expression identifier `n_`. In scope SELECT n_. (UNKNOWN_IDENTIFIER)",
        "QueryError",
        None,
        "UNKNOWN_IDENTIFIER",
        None,
        "column",
        "n_",
    ),
    (413, "too big", "PayloadTooLarge", None, None, None, None, None),
]


class TestQueryErrors:
    @pytest.mark.parametrize("case", QUERY_ERRORS, ids=lambda case: case[1][:40])
    def test_text_is_read(self, case):
        status, text, kind, position, code_name, number, named_kind, named = case
        error = query_failure_of(json_reply(status, {"error": text}), "SELECT 1")
        assert type(error).__name__ == kind
        assert (error.message, error.sql, error.status) == (text.strip(), "SELECT 1", status)
        if isinstance(error, errors.QueryError):
            assert (error.position, error.code_name, error.engine_code) == (position, code_name, number)
            assert (error.named_kind, error.named) == (named_kind, named)

    def test_near_names_of_the_service_are_read(self):
        error = query_failure_of(json_reply(400, {"error": QUERY_ERRORS[10][1]}), "SELECT sume(1)")
        assert error.suggestions == ("sum", "sumIf")

    def test_the_header_carries_the_number(self):
        error = query_failure_of(json_reply(400, {"error": "x"}, x_db_exception_code="47"), "q")
        assert error.engine_code == 47

    def test_an_unknown_table_is_forbidden_too_and_a_slow_query_a_timeout(self):
        assert issubclass(errors.UnknownTable, errors.Forbidden)
        assert issubclass(errors.QueryTimeout, errors.Timeout)


class TestRedaction:
    @given(st.text(), st.text(), st.integers(0, len(TOKEN) - PIECE), st.integers(PIECE, len(TOKEN)))
    def test_no_piece_of_eight_signs_survives(self, before, after, start, length):
        shown = Secret(TOKEN).redact(before + TOKEN[start : start + length] + after)
        assert not any(TOKEN[place : place + PIECE] in shown for place in range(len(TOKEN) - PIECE + 1))

    @given(st.text(alphabet=st.characters(exclude_characters=TOKEN + "tokenbearp=.")))
    def test_other_texts_stay(self, text):
        assert Secret(TOKEN).redact(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "https://api.tinybird.co/v0/sql?q=1&token=abcdefgh123&x=1",
            "Authorization: Bearer abcdefgh123",
            "Invalid token b'p.eyJ1IjogIjkiLCAiaWQiOiAiOSJ9.abcdefgh123'",
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefgh123",
        ],
    )
    def test_other_tokens_go_too(self, text):
        shown = Secret(TOKEN).redact(text)
        assert "abcdefgh" not in shown
        assert HIDDEN in shown

    def test_a_secret_shows_itself_nowhere(self):
        secret = Secret(TOKEN)
        assert f"{secret} {secret!r} {[secret]}" == f"{HIDDEN} {HIDDEN} [{HIDDEN}]"
        with pytest.raises(TypeError, match="not to be pickled"):
            pickle.dumps(secret)

    def test_short_tokens_are_hidden_whole(self):
        assert Secret("abc").redact("x abc y") == f"x {HIDDEN} y"
        assert Secret("a").redact("answered: a, an 'a'") == f"answered: {HIDDEN}, an '{HIDDEN}'"
        assert Secret("abcd").redact("xabcdy") == f"x{HIDDEN}y"

    @pytest.mark.parametrize(
        "body", [{"error": f"bad {TOKEN}", "errors": [TOKEN], "documentation": f"u?token={TOKEN}"}]
    )
    def test_no_attribute_of_an_error_has_it(self, body):
        given_reply = json_reply(403, body, x_request_id=TOKEN)
        for error in (
            failure_of(given_reply, redact=Secret(TOKEN).redact),
            query_failure_of(given_reply, f"SELECT '{TOKEN}'", redact=Secret(TOKEN).redact),
        ):
            shown = f"{error} {error!r} {error.__dict__}"
            assert not any(TOKEN[place : place + PIECE] in shown for place in range(len(TOKEN) - PIECE + 1))
