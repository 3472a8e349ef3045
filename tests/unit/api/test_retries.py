"""The table of what is sent again, and the waits."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import get_args

import pytest

from tinymagic.api.http.retries import PASSING_STATUSES, RETRIED, Effect, Patience, asked_wait_s, may_be_done

FAILURES = ["not sent", "hung up", "no certificate", "no reply in time", "broken reply", *PASSING_STATUSES]


#: errors-and-limits.md section 6, line by line: what is sent again.
AGAIN = {
    "read": {"not sent", "hung up", 429, 502, 503, 504, 598, 599},
    "idempotent": {"not sent", "hung up", 429, 502, 503, 504, 598, 599},
    "events": {"not sent", 429, 503},
    "write": {"not sent", 429},
}


class TestTable:
    def test_is_complete(self):
        assert set(RETRIED) == set(FAILURES)
        assert set(get_args(Effect)) == set(AGAIN)

    @pytest.mark.parametrize("effect", AGAIN)
    @pytest.mark.parametrize("failure", [*FAILURES, 400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 422, 500])
    def test_says_what_the_contract_says(self, effect, failure):
        again = Patience().wait_s(effect, failure, attempt=1) is not None
        assert again == (failure in AGAIN[effect])

    def test_what_is_repeated_with_its_fate_unknown_may_be_done(self):
        assert [failure for failure in AGAIN["idempotent"] if not may_be_done(failure)] in (
            ["not sent", 429],
            [429, "not sent"],
        )


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
