"""The books: counts, sentences, fates of errors. No network."""

from __future__ import annotations

import pytest

from tinymagic.api.errors import (
    BadGateway,
    BadReply,
    BadRequest,
    Cancelled,
    ConfigurationError,
    ConnectionFailed,
    Forbidden,
    GatewayTimeout,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    RequestTimeout,
    ServerError,
    Timeout,
    Unavailable,
    UnprocessableRows,
)
from tinymagic.api.ingest import report as reports
from tinymagic.api.ingest.fates import fate_of, is_lasting
from tinymagic.api.ingest.report import Batch, IngestReport, folded, numbered
from tinymagic.api.ingest.run import with_counts
from tinymagic.api.ingest.watch import Told


class TestFates:
    @pytest.mark.parametrize(
        ("error", "events", "expected"),
        [
            (BadRequest("", status=400), True, "failed"),
            (Forbidden("", status=403), False, "failed"),
            (NotFound("", status=404), True, "failed"),
            (PayloadTooLarge("", status=413), True, "failed"),
            (PayloadTooLarge(""), True, "failed"),
            (RateLimited("", status=429), False, "failed"),
            (Unavailable("", status=503), True, "failed"),
            (Unavailable("", status=503), False, "unknown"),
            (UnprocessableRows("", status=422), True, "unknown"),
            (RequestTimeout("", status=408), False, "unknown"),
            (ServerError("", status=500), True, "unknown"),
            (BadGateway("", status=502), True, "unknown"),
            (GatewayTimeout("", status=504), True, "unknown"),
            (GatewayTimeout("", status=599), False, "unknown"),
            (ConnectionFailed(""), True, "failed"),
            (ConnectionFailed("", sent=True), True, "unknown"),
            (Timeout(""), True, "unknown"),
            (BadReply(""), True, "unknown"),
            (BadReply("", status=200), True, "unknown"),
            (BadReply("", status=307), True, "failed"),
            (InvalidInput(""), True, "failed"),
            (ConfigurationError(""), True, "failed"),
            (ZeroDivisionError(), True, "unknown"),
        ],
    )
    def test_table(self, error, events, expected):
        assert fate_of(error, events=events, under_way=True) == expected

    @pytest.mark.parametrize("error", [Cancelled(""), KeyboardInterrupt(), SystemExit()])
    def test_an_interrupt_depends_on_what_was_under_way(self, error):
        assert fate_of(error, events=True, under_way=True) == "unknown"
        assert fate_of(error, events=True, under_way=False) == "failed"

    def test_what_every_batch_would_get(self):
        assert is_lasting(Forbidden("", status=403))
        assert is_lasting(Cancelled(""))
        assert not is_lasting(BadRequest("", status=400))
        assert not is_lasting(Timeout(""))


class TestCounts:
    BATCH = Batch(1, 0, 10, 100, "answered")

    @pytest.mark.parametrize(
        ("told", "expected"),
        [
            (Told(10, 0), (10, 0, 0, 0)),
            (Told(7, 2, 1), (7, 2, 1, 0)),
            (Told(7, None), (7, 0, 0, 3)),
            (Told(None, 2, 1), (7, 2, 1, 0)),
            (Told(None, 2, 1, error="odd"), (0, 2, 1, 7)),
            (Told(None, None), (0, 0, 0, 10)),
            # More than there are, or less than none: not believed.
            (Told(11, 0), (0, 0, 0, 10)),
            (Told(-1, 5), (0, 0, 0, 10)),
            (Told(None, 12), (0, 0, 0, 10)),
        ],
    )
    def test_the_equation_holds(self, told, expected):
        batch = with_counts(self.BATCH, told)
        assert (batch.stored, batch.quarantined, batch.invalid, batch.unknown) == expected
        assert IngestReport("x", "events", (batch,)).rows_in == 10

    def test_rows_that_nobody_counted_are_those_that_the_service_counts(self):
        batch = with_counts(Batch(1, 0, None, 100, "answered"), Told(5, 1, 2))
        assert (batch.rows, IngestReport("x", "multipart", (batch,)).rows_in) == (8, 8)


def report(*batches, **more):
    return IngestReport("t", more.pop("via", "events"), numbered(batches), **more)


OK = Batch(1, 0, 10, 1, "answered", stored=10)
FAILED = Batch(1, 10, 5, 1, "failed", error="no.")
UNKNOWN = Batch(1, 15, 4, 1, "unknown", error="gone")
REST = Batch(1, 19, 3, 1, "not sent")


class TestReport:
    def test_sums(self):
        whole = report(OK, FAILED, UNKNOWN, REST)
        assert (whole.rows_in, whole.sent, whole.stored, whole.failed, whole.unknown) == (22, 19, 10, 8, 4)
        assert [batch.number for batch in whole.failed_batches] == [2, 4]
        assert [batch.number for batch in whole.unknown_batches] == [3]
        assert not whole.complete
        assert report(OK).complete

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (report(OK), ["10 rows stored."]),
            (report(OK, waited=False), ["10 rows accepted, to be stored soon."]),
            (report(OK, FAILED), ["10 rows stored, 5 rows not stored. Batch 2: no.", "ws.events.retry(report)"]),
            (report(OK, FAILED, via="multipart"), ["ws.datasources.append('t', resume=report)"]),
            (report(UNKNOWN), ["4 rows stored or not, which is not known", "include_unknown=True", "twice"]),
            (report(OK, interrupted=True), ["Interrupted. 10 rows stored."]),
            (report(Batch(1, 0, None, 1, "unknown", error="x")), ["not known whether the rows are stored"]),
            (report(Batch(1, 0, None, 1, "not sent")), ["the rows of 1 part not stored and not counted"]),
            (report(OK, unfinished=True), ["left where it stood"]),
            (report(Batch(1, 0, 2, 1, "answered")), ["did not tell how many rows were stored"]),
            (report(FAILED, FAILED), ["2 batches failed; this is the first"]),
        ],
    )
    def test_sentences(self, given, words):
        text = given.sentence()
        for each in words:
            assert each.lower() in text.lower(), text
        assert str(given) == text

    def test_another_way_to_repeat_may_be_named(self):
        assert "%tinybird events retry sends" in report(FAILED).sentence(retry="%tinybird events retry")

    def test_a_long_stream_is_folded(self, monkeypatch):
        monkeypatch.setattr(reports, "_MOST_BATCHES", 10)
        batches = [Batch(0, n * 2, 2, 5, "answered", stored=2) for n in range(9)]
        batches.insert(3, Batch(0, 100, 1, 5, "failed"))
        kept = folded(batches)
        assert len(kept) == 7
        before, after = report(*batches), report(*kept)
        assert (after.rows_in, after.stored, after.failed) == (before.rows_in, before.stored, before.failed)

    def test_no_data_and_no_token_in_the_text_of_a_report(self):
        assert "source" not in repr(OK)
        assert "carrier" not in repr(report(OK))
