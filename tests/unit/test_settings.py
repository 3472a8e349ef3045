"""Which host and token win, from every source, and that a token goes only where it belongs."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import pytest

from tinymagic.errors import ConfigurationError, InsecureHost
from tinymagic.profiles import save_profile
from tinymagic.settings import Connection, resolve, survey

EUROPE, EAST, WEST = (
    "https://api.tinybird.co",
    "https://api.us-east.aws.tinybird.co",
    "https://api.us-west-2.aws.tinybird.co",
)
LOCAL = "http://localhost:7181"


def static_token(region, mark="x"):
    payload = json.dumps({"u": "1", "id": mark, "host": region}).encode()
    return f"p.{base64.b64encode(payload).decode().rstrip('=')}.{mark}-signature"


EAST_TOKEN, LOCAL_TOKEN = static_token("aws-us-east-1"), static_token("local")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home with a working folder in it; nothing of the machine is seen."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "work" / "deep"
    folder.mkdir(parents=True)
    return tmp_path


@pytest.fixture
def ask(home):
    """`resolve` in the working folder with an empty environment."""
    environ = {"TINYMAGIC_CONFIG_HOME": str(home / "config")}

    def call(**arguments):
        extra = arguments.pop("environ", {})
        return resolve(**{"folder": home / "work" / "deep", **arguments, "environ": {**environ, **extra}})

    call.environ = environ
    return call


def running():
    return SimpleNamespace(host="http://127.0.0.1:7999/")


SOURCES = ["given", "config", "TB_TOKEN", "TINYBIRD_TOKEN", ".tinyb", ".env.local", ".env", "profile", "embedded"]


def put(home, ask, source):
    """Configure one source with a token that names it; return arguments for `resolve`."""
    folder = home / "work" / "deep"
    if source in ("given", "config"):
        pair = {"token": f"of {source}", "host": f"https://{source}.example"}
        return pair if source == "given" else {"config": pair}
    if source == "TB_TOKEN":
        return {"environ": {"TB_TOKEN": f"of {source}", "TB_HOST": "https://tb-token.example"}}
    if source == "TINYBIRD_TOKEN":
        return {"environ": {"TINYBIRD_TOKEN": f"of {source}", "TINYBIRD_URL": "https://tinybird-token.example"}}
    if source == ".tinyb":
        (folder.parent / ".tinyb").write_text(json.dumps({"token": "of .tinyb", "host": "https://tinyb.example"}))
    elif source.startswith(".env"):
        (folder / source).write_text(f"TB_TOKEN='of {source}'\nTB_HOST=https://x{source}.example\n")
    elif source == "profile":
        save_profile("work", "https://profile.example", "of profile", environ=ask.environ, keyring=False)
    else:
        return {"embedded": running}
    return {}


def merged(parts):
    whole = {}
    for part in parts:
        environ = {**whole.get("environ", {}), **part.get("environ", {})}
        whole |= part
        if environ:
            whole["environ"] = environ
    return whole


class TestOrder:
    @pytest.mark.parametrize("first", range(len(SOURCES)), ids=SOURCES)
    def test_a_source_wins_over_all_below_it(self, home, ask, first):
        arguments = merged([put(home, ask, source) for source in SOURCES[first:]])
        found = ask(**arguments)
        source = SOURCES[first]
        if source == "embedded":
            assert found == Connection("http://127.0.0.1:7999", "", "the running embedded server", embedded=True)
        else:
            assert found.token == f"of {source}"
            assert found.host == f"https://{source.lower().replace('_', '-').lstrip('.')}.example" or (
                found.host == f"https://x{source}.example"
            )
            assert source.lower() in found.source.lower() or source in ("given", "config", "profile")

    def test_nothing_is_read_below_the_winner(self, home, ask):
        (home / "work" / "deep" / ".tinyb").write_text("{broken")
        assert ask(token="t", host=EAST).host == EAST
        assert ask(environ={"TB_TOKEN": "t"}).token == "t"

    def test_the_profile_is_named(self, home, ask):
        put(home, ask, "profile")
        found = ask()
        assert (found.profile, found.source) == ("work", "the saved login 'work'")

    def test_nothing_configured_names_the_three_ways(self, ask):
        with pytest.raises(ConfigurationError) as caught:
            ask(embedded=lambda: None)
        assert all(way in str(caught.value) for way in ("%tinybird local start", "%tinybird login", "TB_TOKEN"))

    def test_the_embedded_server_is_looked_for_last_only(self, ask):
        def never():
            raise AssertionError

        assert ask(token="t", embedded=never).token == "t"


class TestHostAndTokenBelongTogether:
    @pytest.mark.parametrize(
        ("token", "host"), [(EAST_TOKEN, EAST), ("plain", EUROPE), (LOCAL_TOKEN, LOCAL), ("a.b.c", EUROPE)]
    )
    def test_a_token_alone_tells_its_host(self, ask, token, host):
        found = ask(token=token, environ={"TB_HOST": WEST, "TINYBIRD_URL": WEST})
        assert (found.token, found.host) == (token, host)

    def test_a_region_is_a_host(self, ask):
        assert ask(token="t", region="us-west-2").host == WEST
        assert ask(token="t", region="aws/us-west-2", host=WEST).host == WEST
        with pytest.raises(ConfigurationError, match="not the one of the region"):
            ask(token="t", region="us-west-2", host=EAST)
        with pytest.raises(ConfigurationError, match="There is no region 'mars'"):
            ask(token="t", region="mars")

    def test_a_host_alone_takes_a_token_for_it_from_below(self, ask):
        found = ask(host=EAST, environ={"TB_TOKEN": "wrong", "TB_HOST": WEST, "TINYBIRD_TOKEN": EAST_TOKEN})
        assert (found.host, found.token) == (EAST, EAST_TOKEN)
        assert found.source == "environment variable TINYBIRD_TOKEN; host from the host given"

    def test_a_token_of_another_region_or_host_is_not_sent_there(self, ask):
        for environ in ({"TB_TOKEN": EAST_TOKEN}, {"TB_TOKEN": "t", "TB_HOST": EAST}):
            with pytest.raises(ConfigurationError, match="no token for it"):
                ask(host=WEST, environ=environ)

    def test_a_cloud_token_is_not_sent_to_a_local_server(self, ask):
        found = ask(host="localhost:7181", environ={"TB_TOKEN": EAST_TOKEN})
        assert (found.host, found.token) == (LOCAL, "")
        assert found.source == "the host given; token from the server itself"

    def test_a_local_token_is_for_every_local_port(self, ask):
        found = ask(host="http://127.0.0.1:9999", environ={"TB_TOKEN": LOCAL_TOKEN})
        assert (found.host, found.token) == ("http://127.0.0.1:9999", LOCAL_TOKEN)

    def test_a_host_in_the_environment_alone_is_completed_by_the_file(self, home, ask):
        tokens = {"https://api.us-east.aws.tinybird.co": "of east", "ui.us-west-2.aws.tinybird.co": "of west"}
        (home / "work" / ".tinyb").write_text(json.dumps({"host": EUROPE, "token": "of europe", "tokens": tokens}))
        for host, token in ((EAST, "of east"), (WEST, "of west"), (EUROPE, "of europe")):
            assert ask(environ={"TB_HOST": host}).token == token

    def test_a_token_is_hidden(self, ask):
        shown = repr(ask(token=EAST_TOKEN))
        assert EAST_TOKEN[5:13] not in shown

    def test_tls_rule(self, ask):
        with pytest.raises(InsecureHost):
            ask(token="t", host="http://api.tinybird.co")
        with pytest.raises(InsecureHost, match="environment variable TB_HOST: "):
            ask(environ={"TB_TOKEN": "t", "TB_HOST": "http://api.tinybird.co"})


class TestProfiles:
    def test_a_named_one_beats_the_environment(self, home, ask):
        put(home, ask, "profile")
        found = ask(profile="work", environ={"TB_TOKEN": "t"})
        assert (found.token, found.profile) == ("of profile", "work")

    def test_it_comes_alone(self, home, ask):
        put(home, ask, "profile")
        with pytest.raises(ConfigurationError, match="give one of them"):
            ask(profile="work", token="t")
        with pytest.raises(ConfigurationError, match=r"is for https://profile\.example"):
            ask(profile="work", host=EAST)

    def test_a_misspelt_one(self, home, ask):
        put(home, ask, "profile")
        with pytest.raises(ConfigurationError, match="Did you mean 'work'"):
            ask(profile="wrok")


class TestTinyb:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('{\n "token": "secret-token",\n oops\n}', "line 3: this is not JSON"),
            ("[1]", "line 1: expected an object"),
            ('{"host": 1,\n"token": "secret-token"}', "line 1: the value of 'host' must be a text"),
            ('{"host": "https://a.example",\n\n"token": ["secret-token"]}', "line 3: the value of 'token'"),
            ('{"tokens":\n []}', "line 1: expected"),
            ('{\n"tokens": ["secret-token"]}', "line 2: 'tokens' must be an object"),
            ('{"host": "http://a.example", "token": "secret-token"}', "http://a.example is refused"),
            ("", "line 1: this is not JSON"),
        ],
    )
    def test_what_is_wrong_is_said_with_its_line(self, home, ask, text, said):
        path = home / "work" / ".tinyb"
        path.write_text(text)
        if text == '{"tokens":\n []}':
            # An empty list is as good as nothing.
            with pytest.raises(ConfigurationError, match="No Tinybird"):
                ask()
            return
        with pytest.raises(ConfigurationError) as caught:
            ask()
        assert said in str(caught.value)
        assert str(path) in str(caught.value)
        assert "secret-token" not in str(caught.value)

    def test_not_utf8(self, home, ask):
        (home / "work" / ".tinyb").write_bytes(b'{\n"token": "\xff"}')
        with pytest.raises(ConfigurationError, match="line 2: this is not UTF-8"):
            ask()

    def test_the_nearest_one_counts_and_the_search_ends_at_home(self, home, ask):
        (home.parent / ".tinyb").write_text(json.dumps({"token": "outside"}))
        try:
            with pytest.raises(ConfigurationError, match="No Tinybird"):
                ask()
            (home / ".tinyb").write_text(json.dumps({"token": "home"}))
            assert ask().token == "home"
            (home / "work" / ".tinyb").write_text(json.dumps({"token": "work"}))
            assert ask().token == "work"
        finally:
            (home.parent / ".tinyb").unlink()

    def test_keys_of_the_vendor_that_we_do_not_know_are_no_trouble(self, home, ask):
        content = {"token": "t", "host": EAST, "id": "1", "workspaces": [], "version": None, "user_token": "u"}
        (home / "work" / ".tinyb").write_text(json.dumps(content))
        assert (ask().token, ask().host) == ("t", EAST)


class TestEnvFiles:
    @pytest.mark.parametrize(
        ("text", "token", "host"),
        [
            ("TB_TOKEN=t", "t", EUROPE),
            (f"export TB_TOKEN = 't'  # mine\nTB_HOST=\"{EAST}\"\n", "t", EAST),
            (f"# TB_TOKEN=no\n\nTINYBIRD_TOKEN=t\nTINYBIRD_URL={EAST}\n", "t", EAST),
            (f"TINYBIRD_TOKEN=t\nTINYBIRD_HOST={EAST}", "t", EAST),
            ("OTHER={\n  'multi': 1\n}\nTB_TOKEN=t\nnoise", "t", EUROPE),
            ("TB_TOKEN=\nTINYBIRD_TOKEN=t", "t", EUROPE),
            ("TB_TOKEN=t#1", "t#1", EUROPE),
            ("TB_TOKEN='a b # c'", "a b # c", EUROPE),
            ("TB_TOKEN=one\nTB_TOKEN=two", "two", EUROPE),
            ("\ufeffTB_TOKEN=t\r\n", "t", EUROPE),
        ],
    )
    def test_lines(self, home, ask, text, token, host):
        (home / "work" / "deep" / ".env").write_bytes(text.encode())
        found = ask()
        assert (found.token, found.host) == (token, host)
        assert ".env" in found.source

    @pytest.mark.parametrize("line", ["TB_TOKEN 'secret-token'", "TB_TOKEN='secret-token", "TB_TOKEN=secret token x"])
    def test_what_cannot_be_read_is_said_with_its_line(self, home, ask, line):
        path = home / "work" / "deep" / ".env.local"
        path.write_text(f"A=1\n{line}\n")
        with pytest.raises(ConfigurationError, match="line 2: expected TB_TOKEN=value") as caught:
            ask()
        assert str(path) in str(caught.value)
        assert "secret" not in str(caught.value)

    def test_a_parents_file_does_not_count(self, home, ask):
        (home / "work" / ".env").write_text("TB_TOKEN=t")
        with pytest.raises(ConfigurationError, match="No Tinybird"):
            ask()


class TestSurvey:
    """`survey` tells of every source what it says, also of those that do not count."""

    def ask(self, home, ask, **arguments):
        environ = {**ask.environ, **arguments.pop("environ", {})}
        return survey(**{"folder": home / "work" / "deep", **arguments, "environ": environ})

    def test_all_sources_in_their_order_and_the_first_one_counts(self, home, ask):
        sources = [source for source in SOURCES if source not in ("given", "embedded")]
        found = self.ask(home, ask, **merged([put(home, ask, source) for source in sources]))
        assert [each.used for each in found] == [True] + [False] * 6
        assert all(each.has_token and each.host for each in found)
        hosts = [each.host for each in found]
        assert hosts[0] == "https://config.example"
        assert hosts[-1] == "https://profile.example"
        assert "of " not in repr(found).replace("%config", "")

    @pytest.mark.parametrize("source", [source for source in SOURCES if source not in ("given", "embedded")])
    def test_each_source_alone_is_used(self, home, ask, source):
        (found,) = self.ask(home, ask, **put(home, ask, source))
        assert found.used

    def test_a_host_alone_and_the_token_for_it_are_both_used(self, home, ask):
        save_profile("work", EAST, EAST_TOKEN, environ=ask.environ, keyring=False)
        found = self.ask(home, ask, config={"host": EAST}, environ={"TB_TOKEN": LOCAL_TOKEN})
        assert [(each.used, each.has_token) for each in found] == [(True, False), (False, True), (True, True)]

    def test_a_source_that_cannot_be_read_hides_no_other(self, home, ask):
        (home / "work" / ".tinyb").write_text("{")
        (home / "work" / "deep" / ".env").write_text(f"TB_TOKEN={EAST_TOKEN}\n")
        broken, env = self.ask(home, ask)
        assert "this is not JSON" in broken.problem
        assert env.has_token
        assert not env.used

    def test_nothing(self, home, ask):
        assert self.ask(home, ask) == []
