"""The table of what is sent again, and the waits."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from tinymagic.api.retries import PASSING_STATUSES, RETRIED, Patience, asked_wait_s

FAILURES = ["not sent", "hung up", "no certificate", "no reply in time", "broken reply", *PASSING_STATUSES]


class TestTable:
    def test_is_complete(self):
        assert set(RETRIED) == {(effect, failure) for effect in ("read", "write") for failure in FAILURES}

    def test_a_write_is_repeated_only_when_it_certainly_did_nothing(self):
        assert {failure for (effect, failure), again in RETRIED.items() if effect == "write" and again} == {
            "not sent",
            429,
        }

    def test_reads_are_repeated_for_passing_trouble(self):
        assert {failure for (effect, failure), again in RETRIED.items() if effect == "read" and again} == {
            "not sent",
            "hung up",
            429,
            502,
            503,
            504,
            598,
            599,
        }

    @pytest.mark.parametrize("status", [400, 403, 404, 408, 409, 413, 422, 500])
    def test_other_statuses_are_not_repeated(self, status):
        assert Patience().wait_s("read", status, attempt=1) is None


class TestWaits:
    def test_double_up_to_a_cap(self):
        patience = Patience(attempts=9)
        waits = [patience.wait_s("read", 503, attempt=attempt) for attempt in range(1, 9)]
        assert waits == [0.25, 0.5, 1, 2, 4, 8, 8, 8]

    def test_attempts_end(self):
        assert Patience(attempts=3).wait_s("read", 503, attempt=3) is None

    def test_the_service_may_ask_for_more_or_less(self):
        assert Patience().wait_s("write", 429, attempt=1, asked_s=0) == 0
        assert Patience().wait_s("write", 429, attempt=1, asked_s=60) == 60
        assert Patience().wait_s("write", 429, attempt=1, asked_s=61) is None

    def test_all_waits_together_have_an_end(self):
        assert Patience().wait_s("read", 429, attempt=3, waited_s=90, asked_s=40) is None


class TestHeaders:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"retry-after": "12"}, 12),
            ({"retry-after": "1.5"}, 1.5),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "-5"}, None),
            ({"x-ratelimit-reset": "3"}, 3),
            ({"retry-after": "2", "x-ratelimit-reset": "3"}, 2),
            ({"retry-after": "soon", "x-ratelimit-reset": "3"}, 3),
            ({"x-ratelimit-reset": "x"}, None),
        ],
    )
    def test_numbers(self, headers, seconds):
        assert asked_wait_s(headers) == seconds

    def test_an_absurd_number_is_not_waited_for(self):
        asked = asked_wait_s({"retry-after": "9" * 400})
        assert asked is None or Patience().wait_s("read", 429, attempt=1, asked_s=asked) is None

    def test_dates(self):
        assert 25 < asked_wait_s({"retry-after": formatdate(time.time() + 30, usegmt=True)}) <= 30
        assert asked_wait_s({"retry-after": formatdate(time.time() - 30, usegmt=True)}) == 0

    def test_a_large_reset_is_a_point_in_time(self):
        assert 25 < asked_wait_s({"x-ratelimit-reset": str(time.time() + 30)}) <= 30
