"""Request rates, with a clock of our own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tinymagic.local import rates as rates_module
from tinymagic.local.errors import ApiError, TooManyRequests
from tinymagic.local.limits import Limits
from tinymagic.local.rates import FORCE_VARIABLE, RULES, Rates, forced_statuses

NAMES = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rates(clock):
    return Rates(Limits.named("service"), clock=clock, environment={})


def refused(rates, rule, key="w"):
    with pytest.raises(TooManyRequests) as caught:
        rates.check(rule, key)
    assert set(caught.value.headers) == {*NAMES, "Retry-After"}
    assert all(value.isdigit() for value in caught.value.headers.values())
    assert caught.value.headers["X-RateLimit-Remaining"] == "0"
    return int(caught.value.headers["Retry-After"])


class TestWindows:
    def test_imports(self, rates, clock):
        """Five in any minute; the sixth waits until the first is a minute old."""
        for left in (4, 3, 2, 1, 0):
            headers = rates.check("imports", "w")
            assert headers["X-RateLimit-Limit"] == "5"
            assert headers["X-RateLimit-Remaining"] == str(left)
            clock.now += 10
        assert refused(rates, "imports") == 10
        clock.now += 9.5
        assert refused(rates, "imports") == 1
        clock.now += 0.5
        assert rates.check("imports", "w")["X-RateLimit-Remaining"] == "0"
        assert refused(rates, "imports") == 10

    def test_waiting_as_told_is_enough(self, rates, clock):
        """A client that obeys Retry-After is never refused twice, and one that does not wins nothing."""
        done = 0
        for _ in range(200):
            try:
                rates.check("imports", "w")
                done += 1
            except TooManyRequests as error:
                clock.now += int(error.headers["Retry-After"])
                rates.check("imports", "w")
                done += 1
        assert done == 200

    def test_keys_and_rules_are_apart(self, rates):
        """One workspace's requests do not hold up another's, nor imports creations."""
        for _ in range(5):
            rates.check("imports", "w")
        refused(rates, "imports")
        assert rates.check("imports", "other")["X-RateLimit-Remaining"] == "4"
        assert rates.check("creations", "w")["X-RateLimit-Limit"] == "25"

    @pytest.mark.parametrize(
        ("rule", "limit"),
        [("creations", 25), ("imports", 5), ("events", 1000), ("events_of_datasource", 100), ("variables", 5)],
    )
    def test_documented_numbers(self, rates, rule, limit):
        """As many as documented, and not one more."""
        for _ in range(limit):
            rates.check(rule, "w")
        refused(rates, rule)

    def test_queries(self, rates, clock):
        """Twenty at once after a rest, ten a second for ever, a thousand a day."""
        for _ in range(20):
            rates.check("queries", "w")
        assert refused(rates, "queries") == 1
        done = 0
        for _ in range(1_000):  # ten seconds
            clock.now += 0.01
            try:
                rates.check("queries", "w")
                done += 1
            except TooManyRequests:
                pass
        assert 99 <= done <= 100
        for _ in range(1_000):
            clock.now += 1
            rates.check("queries_of_day", "w")
        assert 85_000 < refused(rates, "queries_of_day") < 86_400


class TestSwitch:
    def test_off_by_default(self, clock):
        """A class is not slowed down, and no header claims a limit."""
        rates = Rates(Limits(), clock=clock, environment={})
        assert [rates.check(rule, "w") for rule in RULES for _ in range(30)] == [{}] * 30 * len(RULES)

    def test_an_unknown_rule_is_a_mistake(self, rates):
        """It would never limit anything."""
        with pytest.raises(KeyError):
            rates.check("import", "w")


class TestJwt:
    @pytest.mark.parametrize("name", ["default", "none", "service"])
    def test_always_holds(self, clock, name):
        """Whatever --limits says."""
        rates = Rates(Limits.named(name), clock=clock, environment={})
        rates.check_rps("w/a", 2)
        clock.now += 0.4
        assert rates.check_rps("w/a", 2)["X-RateLimit-Remaining"] == "0"
        with pytest.raises(TooManyRequests, match="2 requests in a second") as caught:
            rates.check_rps("w/a", 2)
        assert caught.value.headers["Retry-After"] == "1"
        assert rates.check_rps("w/b", 2)
        clock.now += 0.7
        assert rates.check_rps("w/a", 2)

    def test_less_than_one_a_second(self, clock):
        """A tenth is one in ten seconds."""
        rates = Rates(Limits(), clock=clock, environment={})
        rates.check_rps("w/a", 0.1)
        with pytest.raises(TooManyRequests) as caught:
            rates.check_rps("w/a", 0.1)
        assert caught.value.headers["Retry-After"] == "10"

    def test_huge_limits_are_none(self, clock):
        """They cost neither memory nor time."""
        assert Rates(Limits(), clock=clock, environment={}).check_rps("w/a", 1e300) == {}


class TestHarm:
    def test_memory_is_bounded(self, clock, monkeypatch):
        """The keys that were idle longest are forgotten."""
        monkeypatch.setattr(rates_module, "MOST_KEYS", 10)
        rates = Rates(Limits(rates=True), clock=clock, environment={})
        for number in range(1_000):
            rates.check("imports", f"w{number}")
            rates.check("imports", "busy") if number % 300 == 0 else None
        assert len(rates._counters) == 10

    def test_threads_get_no_more(self, rates):
        """A hundred at once share the limit."""

        def ask(_):
            try:
                rates.check("creations", "w")
            except TooManyRequests:
                return 0
            return 1

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(ask, range(400))) == 25


class TestForced:
    def test_status_for_some_requests(self, clock):
        """The first two of each key are refused, then all is well; rules that are not named are left alone."""
        rates = Rates(Limits(), clock=clock, environment={FORCE_VARIABLE: "events:503:2, imports:429"})
        for key in ("a", "b"):
            for _ in range(2):
                with pytest.raises(ApiError) as caught:
                    rates.check("events", key)
                assert caught.value.status == 503
                assert caught.value.headers == {"Retry-After": "1"}
            assert rates.check("events", key) == {}
        for _ in range(10):
            with pytest.raises(ApiError) as caught:
                rates.check("imports", "a")
            assert caught.value.status == 429
            assert set(caught.value.headers) == {*NAMES, "Retry-After"}
        assert rates.check("queries", "a") == {}

    @pytest.mark.parametrize("text", ["429", "events", "events:200", "event:429", "events:429:x", "events:429:", ":"])
    def test_mistakes_are_sentences(self, text):
        """A typing mistake ends the start, so that nobody waits for a refusal that never comes."""
        with pytest.raises(ValueError, match="events_of_datasource"):
            forced_statuses(text)
        assert forced_statuses(" ") == {}
