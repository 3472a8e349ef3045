"""The client behind a proxy that breaks things, in front of a real server: right result or clear error, never twice."""

from __future__ import annotations

import io
import json
import threading
import time
from itertools import count

import pytest

from tests.faults import (
    FaultProxy,
    cut_gzip,
    damaged_gzip,
    drip,
    hang_up_after,
    html_page,
    html_success,
    reset_after,
    reset_before,
    reset_during,
    slow,
    status,
    truncated,
    wrong_type,
)
from tinymagic.api.errors import (
    ApiError,
    BadGateway,
    BadReply,
    Cancelled,
    ConnectionFailed,
    GatewayTimeout,
    NotFound,
    RateLimited,
    ServerError,
    Timeout,
    TinybirdError,
    Unavailable,
)
from tinymagic.api.http.cancelling import Cancellation
from tinymagic.api.http.request import Request, SizedReader
from tinymagic.api.http.retries import Patience
from tinymagic.api.http.transport import Transport

QUICK = Patience(attempts=3, first_wait_s=0.01, longest_wait_s=0.05, longest_asked_wait_s=5)
NAMES = (f"faulty_{number}" for number in count())


@pytest.fixture
def proxy(server):
    with FaultProxy(server.host) as started:
        yield started


@pytest.fixture
def waits():
    return []


@pytest.fixture
def transport(proxy, tokens, waits):
    made = Transport(
        proxy.host,
        tokens["workspace_admin_token"],
        timeout_s=20,
        patience=QUICK,
        on_wait=lambda *wait: waits.append(wait),
    )
    yield made
    made.close()


@pytest.fixture
def table(api):
    """An empty Data Source."""
    name = next(NAMES)
    made = api.post("/v0/datasources", data={"name": name, "mode": "create", "schema": "n Int64 `json:$.n`"})
    assert made.status_code == 200, made.text
    yield name
    api.request("DELETE", f"/v0/datasources/{name}?force=true")


def rows_in(api, table):
    return int(api.sql(f"SELECT count() AS c FROM {table} FORMAT JSON").json()["data"][0]["c"])


def read(**options):
    return Request("GET", "/v0/sql", {"q": "SELECT number FROM numbers(3) FORMAT JSON"}, **options)


def events(table, effect="events"):
    return Request(
        "POST", "/v0/events", {"name": table, "wait": "true"}, body=lambda: b'{"n": 1}\n{"n": 2}\n', effect=effect
    )


def deletion(table):
    return Request("DELETE", f"/v0/datasources/{table}", effect="idempotent")


def truncation(table):
    return Request("POST", f"/v0/datasources/{table}/truncate", effect="idempotent")


#: Faults after which a read succeeds when it is asked again.
PASSING = [
    reset_before(),
    reset_after(),
    hang_up_after(),
    *(status(code, when=when) for code in (429, 502, 503, 504, 598, 599) for when in ("before", "after")),
    status(429, retry_after=0.05),
    status(429, retry_after=0, as_date=True),
    html_page(502),
    html_page(503, when="after"),
    status(503, body=""),
    status(504, body="text"),
]

#: Faults that a read does not get over, and what is said.
LASTING = [
    (status(500), ServerError),
    (status(500, when="after", body="html"), ServerError),
    (status(408), ApiError),
    (truncated(), BadReply),
    (truncated(0.0), BadReply),
    (damaged_gzip(), BadReply),
    (cut_gzip(), BadReply),
    (html_success(), BadReply),
]


def named(fault):
    fault = fault[0] if isinstance(fault, tuple) else fault
    wait = fault.headers.get("Retry-After", "")
    # A moment in a name would be another one for each process that runs tests.
    return f"{fault.name} {fault.when} {'at a date' if 'GMT' in wait else wait}".strip()


class TestReads:
    @pytest.mark.parametrize("fault", PASSING, ids=named)
    def test_get_over_passing_trouble(self, proxy, transport, fault, waits):
        proxy.on("GET", "/v0/sql", fault, fault)
        reply = transport.send(read())
        assert [row["number"] for row in reply.json_object()["data"]] == [0, 1, 2]
        assert [each.fault for each in proxy.passed("GET", "/v0/sql")] == [fault.name, fault.name, None]
        assert len(waits) == 2

    @pytest.mark.parametrize("fault", LASTING, ids=named)
    def test_say_what_is_wrong_once(self, proxy, transport, fault, waits):
        proxy.on("GET", "/v0/sql", fault[0], always=True)
        with pytest.raises(fault[1]) as caught:
            transport.get_json("/v0/sql", {"q": "SELECT number FROM numbers(3) FORMAT JSON"})
        assert "GET /v0/sql" in str(caught.value)
        assert (len(proxy.seen), waits) == (1, [])

    def test_a_wrong_content_type_does_no_harm(self, proxy, transport):
        proxy.on("GET", "/v0/sql", wrong_type(), wrong_type("text/plain"), wrong_type("application/octet-stream"))
        for _ in range(3):
            assert len(transport.send(read()).json_object()["data"]) == 3

    def test_slow_is_not_wrong_until_the_time_is_over(self, proxy, transport):
        proxy.on("GET", "/v0/sql", slow(0.3), drip(0.001))
        assert transport.send(read()).status == 200
        assert transport.send(read()).status == 200
        proxy.on("GET", "/v0/sql", slow(9))
        with pytest.raises(Timeout, match=r"no whole reply .* within 0.3 s"):
            transport.send(read(), timeout_s=0.3)
        assert len(proxy.seen) == 3

    def test_the_same_error_to_the_end(self, proxy, transport):
        for fault, kind in (
            (html_page(502), BadGateway),
            (status(503), Unavailable),
            (status(504), GatewayTimeout),
            (status(429), RateLimited),
            (reset_before(), ConnectionFailed),
        ):
            proxy.seen.clear()
            proxy.clear()
            proxy.on("GET", "/v0/sql", fault, always=True)
            with pytest.raises(kind):
                transport.send(read())
            assert len(proxy.seen) == 3


class TestWaiting:
    @pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
    def test_as_long_as_the_service_asks(self, proxy, transport, as_date, waits):
        proxy.on("GET", "/v0/sql", status(429, retry_after=1, as_date=as_date))
        started = time.monotonic()
        transport.send(read())
        assert time.monotonic() - started >= 0.9
        assert waits == [(pytest.approx(1, abs=1.01), "too many requests (429); attempt 2 follows")]

    def test_a_wait_that_is_too_long_is_said_at_once(self, proxy, transport, waits):
        proxy.on("GET", "/v0/sql", status(429, retry_after=3600, as_date=True))
        with pytest.raises(RateLimited, match=r"Try again in (3600|3601|1 h)") as caught:
            transport.send(read())
        assert caught.value.retry_after_s == pytest.approx(3600, abs=2)
        assert waits == []

    def test_cancelled_while_waiting(self, proxy, transport):
        proxy.on("GET", "/v0/sql", status(429, retry_after=5))
        cancellation = Cancellation()
        transport.on_wait = lambda *_: threading.Timer(0.1, cancellation.cancel).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            transport.send(read(), cancellation=cancellation)
        assert time.monotonic() - started < 3
        assert len(proxy.seen) == 1


class TestRows:
    """Rows in the Data Source are those of the attempts that the server answered, whatever the client heard."""

    @pytest.mark.parametrize(
        "fault",
        [status(429), status(429, retry_after=0.05), status(503), html_page(503)],
        ids=named,
    )
    def test_are_sent_again_when_the_service_took_nothing(self, api, proxy, transport, table, fault):
        proxy.on("POST", "/v0/events", fault, fault)
        assert transport.send(events(table)).json_object()["successful_rows"] == 2
        assert rows_in(api, table) == 2
        assert len(proxy.seen) == 3

    @pytest.mark.parametrize(
        ("fault", "stored"),
        [
            (reset_before(), 0),
            (reset_during(), 0),
            (reset_after(), 2),
            (hang_up_after(), 2),
            (status(500), 0),
            (status(500, when="after"), 2),
            (status(502), 0),
            (status(502, when="after"), 2),
            (status(504, when="after"), 2),
            (status(598, when="after"), 2),
            (truncated(), 2),
            (damaged_gzip(), 2),
        ],
        ids=lambda value: named(value) if not isinstance(value, int) else str(value),
    )
    def test_whose_fate_is_unknown_are_not_sent_again(self, api, proxy, transport, table, fault, stored, waits):
        proxy.on("POST", "/v0/events", fault, always=True)
        with pytest.raises(TinybirdError):
            transport.send(events(table))
        assert rows_in(api, table) == stored
        assert (len(proxy.seen), waits) == (1, [])

    def test_a_write_is_not_repeated_after_503(self, proxy, transport, table):
        proxy.on("POST", "/v0/events", status(503), always=True)
        with pytest.raises(Unavailable):
            transport.send(events(table, effect="write"))
        assert len(proxy.seen) == 1


class TestIdempotent:
    @pytest.mark.parametrize(
        "fault",
        [
            reset_before(),
            reset_after(),
            hang_up_after(),
            *(status(code, when="after") for code in (502, 503, 504, 598)),
        ],
        ids=named,
    )
    def test_a_deletion_is_done_once_and_said_to_be(self, api, proxy, transport, table, fault):
        proxy.on("DELETE", "/v0/datasources/*", fault)
        reply = transport.send(deletion(table))
        assert (reply.status, reply.json_object()) == (204, {})
        assert api.get(f"/v0/datasources/{table}").status_code == 404
        reached = [each.status for each in proxy.passed("DELETE")]
        assert reached == ([204, 404] if fault.when == "after" else [None, 204])

    @pytest.mark.parametrize("fault", [None, status(429), status(429, when="before", retry_after=0)], ids=str)
    def test_what_was_never_there_is_not_found(self, proxy, transport, fault):
        proxy.on("DELETE", "/v0/datasources/*", fault)
        with pytest.raises(NotFound):
            transport.send(deletion("never_there"))

    def test_a_404_after_a_hang_up_stays_one_for_other_methods(self, proxy, transport):
        proxy.on("POST", "/v0/datasources/*", reset_after())
        with pytest.raises(NotFound):
            transport.send(truncation("never_there"))
        assert len(proxy.seen) == 2

    def test_truncation_twice_is_truncation_once(self, api, proxy, transport, table):
        transport.send(events(table))
        proxy.on("POST", "/v0/datasources/*", reset_after(), html_page(504, when="after"))
        transport.send(truncation(table))
        assert rows_in(api, table) == 0
        assert len(proxy.passed("POST", "/v0/datasources/*")) == 3


class TestDownloads:
    QUERY = Request("GET", "/v0/sql", {"q": "SELECT number, toString(number) FROM numbers(400000) FORMAT CSV"})

    def test_into_a_file_with_progress(self, api, transport, tmp_path):
        told = []
        with (tmp_path / "rows.csv").open("wb") as target:
            reply = transport.download(self.QUERY, target, on_progress=told.append)
        content = (tmp_path / "rows.csv").read_bytes()
        assert content == api.sql(self.QUERY.query["q"]).content
        assert (reply.status, reply.body, reply.bytes_received) == (200, b"", len(content))
        done = [each.done for each in told]
        assert (done == sorted(done), told[-1].done, {each.unit for each in told}) == (True, len(content), {"B"})
        assert len(done) > 5

    @pytest.mark.parametrize("fault", [reset_before(), reset_after(), status(429), html_page(503)], ids=named)
    def test_begin_anew_before_the_first_byte(self, proxy, transport, fault):
        proxy.on("GET", "/v0/sql", fault)
        target = io.BytesIO()
        transport.download(read(), target)
        assert len(json.loads(target.getvalue())["data"]) == 3

    @pytest.mark.parametrize("fault", [truncated(), damaged_gzip(), cut_gzip()], ids=named)
    def test_cut_or_damaged_is_an_error(self, proxy, transport, fault):
        proxy.on("GET", "/v0/sql", fault)
        with pytest.raises(BadReply, match="GET /v0/sql"):
            transport.download(self.QUERY, io.BytesIO())
        assert len(proxy.seen) == 1

    def test_an_error_status_writes_nothing(self, transport):
        target = io.BytesIO()
        with pytest.raises(ApiError, match="nothing_there"):
            transport.download(Request("GET", "/v0/sql", {"q": "SELECT * FROM nothing_there"}), target)
        assert target.getvalue() == b""

    def test_a_silence_ends_it(self, proxy, transport):
        proxy.on("GET", "/v0/sql", drip(0.5))
        with pytest.raises(Timeout):
            transport.download(read(), io.BytesIO(), timeout_s=0.2)

    def test_another_thread_ends_it(self, proxy, transport):
        proxy.on("GET", "/v0/sql", drip(0.01))
        cancellation = Cancellation()
        threading.Timer(0.3, cancellation.cancel).start()
        target = io.BytesIO()
        with pytest.raises(Cancelled):
            transport.download(read(), target, cancellation=cancellation)
        assert b"number" not in target.getvalue()[-5:]
        assert transport.send(read()).status == 200


class Endless(SizedReader):
    """A body of any length out of nothing."""

    def __init__(self, size):
        self.size = self.left = size

    def __len__(self):
        return self.size

    def read(self, size=-1):
        size = self.left if size < 0 else min(size, self.left)
        self.left -= size
        return b" " * size

    def close(self):
        pass


class TestUploads:
    def test_another_thread_ends_one(self, proxy, transport):
        cancellation = Cancellation()
        told = []

        def on_progress(progress):
            told.append(progress)
            if progress.done > 2_000_000:
                cancellation.cancel()

        upload = Request(
            "POST", "/v0/events", {"name": "x"}, body=lambda: Endless(300_000_000), effect="write", length="long"
        )
        with pytest.raises(Cancelled, match="POST /v0/events was cancelled"):
            transport.send(upload, cancellation=cancellation, on_progress=on_progress)
        assert told[-1].done < 10_000_000
        proxy.wait_for("POST", "/v0/events")
        assert not proxy.passed("POST", "/v0/events")[0].reached
        assert transport.send(read()).status == 200

    @pytest.mark.parametrize("fault", [reset_before(), reset_during(0.1)], ids=named)
    def test_a_connection_that_breaks_on_the_way(self, proxy, transport, fault):
        proxy.on("POST", "/v0/events", fault)
        upload = Request(
            "POST", "/v0/events", {"name": "x"}, body=lambda: Endless(50_000_000), effect="write", length="long"
        )
        with pytest.raises(ConnectionFailed, match="look before you repeat it"):
            transport.send(upload)
        assert len(proxy.seen) == 1


def test_twenty_threads_share_one_transport(proxy, tokens, table, api):
    """Each gets its own reply, also when some are disturbed; all rows are there once."""
    patient = Patience(attempts=9, first_wait_s=0.01, longest_wait_s=0.1)
    transport = Transport(proxy.host, tokens["workspace_admin_token"], patience=patient)
    for fault in (reset_after(), status(503), reset_before(), status(429)):
        proxy.on("GET", "/v0/sql", *[None, None, fault] * 5)
    failures = []

    def work(number):
        try:
            for turn in range(5):
                query = {"q": f"SELECT {number} AS n, {turn} AS t FORMAT JSON"}
                assert transport.get_json("/v0/sql", query)["data"] == [{"n": number, "t": turn}]
                body = json.dumps({"n": number * 5 + turn}).encode()
                transport.send(
                    Request("POST", "/v0/events", {"name": table}, body=lambda body=body: body, effect="events")
                )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    transport.close()
    assert failures == []
    assert len([each for each in proxy.passed("GET", "/v0/sql") if each.fault]) == 20
    found = api.sql(f"SELECT count() AS c, uniqExact(n) AS u, sum(n) AS s FROM {table} FORMAT JSON").json()["data"]
    assert found == [{"c": 100, "u": 100, "s": sum(range(100))}]
