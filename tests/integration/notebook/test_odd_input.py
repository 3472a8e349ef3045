"""Odd input to commands: each mistake is a card with a sentence, and nothing is lost without a question."""

from __future__ import annotations

import os

import pandas as pd
import pytest

CARD_LINES = 8


@pytest.fixture
def source(connected):
    """A Data Source with two rows."""
    connected.shell.user_ns["odd_rows"] = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    connected.ok("%tinybird datasource create odd_input --from-df odd_rows")
    yield "odd_input"
    connected.ok("%tinybird datasource rm odd_input --yes")


def rows(cells, name):
    """How many rows it has."""
    return int(cells.ok(f"%tbsql SELECT count() AS n FROM {name}").value["n"][0])


def card_of(cells, line):
    """What a line that fails shows."""
    error = cells.run(f"get_ipython().run_line_magic('tinybird', {line!r})").error
    assert hasattr(error, "_render_traceback_"), repr(error)
    lines = error._render_traceback_()
    assert len(lines) <= CARD_LINES
    text = "\n".join(lines)
    # It can be printed.
    text.encode()
    return text


class TestSigns:
    @pytest.mark.parametrize("sign", ["\ud800", "\x00"])
    @pytest.mark.parametrize(
        "line", ["datasource show 'a{}'", "deploy 'a{}'", "datasource append x 'a{}.csv'", "fmt 'a{}'"]
    )
    def test_what_no_text_holds(self, connected, line, sign):
        assert "take it out" in card_of(connected, line.format(sign))

    @pytest.mark.parametrize(
        "line",
        [
            "datasource append odd_input $half",
            "datasource alter odd_input --description $half",
            "pipe create odd_half --sql $half_sql",
            "variable set ODD_HALF $half",
            "analyze half_frame",
            "datasource append odd_input half_frame",
        ],
    )
    def test_half_a_character_in_a_variable(self, connected, source, line):
        connected.shell.user_ns["half"] = "\ud800"
        connected.shell.user_ns["half_sql"] = "SELECT '\ud800'"
        connected.shell.user_ns["half_frame"] = pd.DataFrame({"b": pd.Series(["\ud800", "x"], dtype=object)})
        card = card_of(connected, line)
        assert "half a character" in card or "cannot be the name of a file" in card
        assert rows(connected, source) == 2


class TestFolders:
    @pytest.mark.parametrize("line", ["deploy {}", "pull {} --diff", "pipe create odd --sql 'SELECT 1' --to {}"])
    def test_what_cannot_be_one(self, connected, clean_settings, line):
        (clean_settings / "circle").symlink_to("circle")
        for folder in ("x" * 3000, "circle", "~there_is_no_such_user/x"):
            card_of(connected, line.format(folder))


class TestValues:
    @pytest.fixture(autouse=True)
    def values(self, connected):
        names = connected.shell.user_ns
        names["nested"] = pd.DataFrame({"a": [pd.DataFrame({"x": [1]}), pd.Series([1])]})
        names["circle"] = []
        names["circle"].append(names["circle"])
        names["own"] = {}
        names["own"]["a"] = names["own"]
        names["huge"] = 10**5000
        names["frame"] = pd.DataFrame({"a": [1]})

    @pytest.mark.parametrize(
        "command", ["datasource append odd_input nested", "analyze nested", "events send odd_input nested"]
    )
    def test_a_frame_in_a_frame(self, connected, source, command):
        assert "holds a DataFrame (row 0)" in card_of(connected, command)
        assert rows(connected, source) == 2

    @pytest.mark.parametrize("name", ["circle", "own"])
    def test_what_holds_itself(self, connected, name):
        assert "hold themselves" in card_of(connected, f"datasource create odd_circle --from-df {name}")

    @pytest.mark.parametrize("parameter", ["--param n=$circle", "--param n=$own", "--params $own", "--param n=$huge"])
    def test_parameters(self, connected, parameter):
        assert "cannot be written as a text" in card_of(connected, f"pipe data anything {parameter}")

    def test_a_description_is_a_text(self, connected, source):
        assert "'frame' is DataFrame: a text is needed" in card_of(
            connected, f"datasource alter {source} --description $frame --yes"
        )


class TestFiles:
    def test_what_is_no_csv(self, connected, source, clean_settings):
        (clean_settings / "odd.csv").write_bytes(b"PAR1\r\rx\r" + bytes(range(256)) * 20)
        (clean_settings / "long.csv").write_bytes(b"[" * 200_000 + b"\n")
        for name in ("odd.csv", "long.csv"):
            ran = connected.run(f"%tinybird datasource append {source} {name} --via multipart")
            assert ran.error is None or hasattr(ran.error, "_render_traceback_")

    def test_a_pipe_without_a_writer(self, connected, source, clean_settings):
        os.mkfifo(clean_settings / "fifo.csv")
        assert "not a regular file" in card_of(connected, f"datasource append {source} fifo.csv")

    @pytest.mark.parametrize(
        "line",
        [
            "variable set ODD --from-file {}",
            "pipe create odd_pipe {}",
            "events send odd_input {}",
            "analyze {}",
            "deploy {}",
        ],
    )
    def test_what_has_no_end(self, connected, source, clean_settings, line):
        card_of(connected, line.format("/dev/zero"))
        (clean_settings / "endless").mkdir()
        (clean_settings / "endless" / "a.pipe").symlink_to("/dev/zero")
        assert "a.pipe is not a regular file" in card_of(connected, "deploy endless")


class TestReplacing:
    def test_rows_are_asked_about(self, connected, source):
        card = card_of(connected, f"datasource replace {source} odd_rows")
        assert "in the place of 2 rows of odd_input? Nobody can be asked here" in card
        card = card_of(connected, f"datasource replace {source} odd_rows --where 'a = 1'")
        assert "1 row of odd_input?" in card
        assert rows(connected, source) == 2

    def test_no(self, connected, source, monkeypatch):
        monkeypatch.setattr("builtins.input", lambda _: "n")
        connected.shell.user_ns["one"] = pd.DataFrame({"a": [5], "b": ["z"]})
        assert "Nothing was replaced" in connected.ok(f"%tinybird datasource replace {source} one").printed
        assert rows(connected, source) == 2

    def test_where_nothing_is_lost_nothing_is_asked(self, connected, source):
        connected.shell.user_ns["other"] = pd.DataFrame({"a": [9], "b": ["z"]})
        connected.ok(f"%tinybird datasource replace {source} other --where 'a = 9'")
        connected.ok(f"%tinybird datasource truncate {source} --yes")
        assert "1 row stored" in connected.ok(f"%tinybird datasource replace {source} other").printed

    def test_a_run_that_replaces(self, connected, source):
        connected.ok("%tinybird pipe create odd_copy --sql 'SELECT 7 AS a, toString(1) AS b' --node n --yes")
        connected.ok(f"%tinybird copy create odd_copy n {source}")
        assert "all rows of its Data Source?" in card_of(connected, "copy run odd_copy --mode replace --wait")
        assert rows(connected, source) == 2
        connected.ok("%tinybird pipe rm odd_copy --yes")


class TestSecrets:
    @pytest.mark.parametrize(
        "line",
        [
            "secret set ODD_SECRET=Kq7vBn3mKe9wRt5y",
            "variable set ODD_SECRET='Kq7vBn3mKe9wRt5y'",
            "connection create odd s3 --set s3_secret_access_key=Kq7vBn3mKe9wRt5y --bad",
            "connection create --set s3_secret_access_key='Kq7vBn3mKe9wRt5y'",
            "connector sett odd --set kafka_sasl_plain_password=Kq7vBn3mKe9wRt5y 'open",
        ],
    )
    def test_a_value_in_a_line_that_fails(self, connected, line):
        ran = connected.run(f"%tinybird {line}")
        manager = connected.shell.history_manager
        manager.writeout_cache()
        kept = [*manager.db.execute("SELECT source, source_raw FROM history"), manager.input_hist_raw]
        assert ran.error is not None
        assert "Kq7vBn3m" not in f"{ran.card} {ran.error} {ran.printed} {kept}"
