"""Saved logins: what is written where, for whose eyes."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from types import ModuleType

import pytest

from tinymagic.errors import ConfigurationError, InsecureHost, InvalidInput
from tinymagic.profiles import (
    config_folder,
    current_profile,
    delete_profile,
    list_profiles,
    load_profile,
    save_profile,
    use_profile,
)

HOST = "https://api.us-east.aws.tinybird.co"


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """A folder of its own, and no credential store."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    return {"TINYMAGIC_CONFIG_HOME": str(tmp_path / "config")}


class Store(ModuleType):
    """Stands for the package keyring with a working store, or with none behind it."""

    def __init__(self, *, works=True):
        super().__init__("keyring")
        self.works = works
        self.saved = {}
        self.errors = ModuleType("keyring.errors")
        self.errors.KeyringError = type("KeyringError", (Exception,), {})

    def _check(self):
        if not self.works:
            raise self.errors.KeyringError

    def set_password(self, service, name, token):
        self._check()
        self.saved[service, name] = token

    def get_password(self, service, name):
        self._check()
        return self.saved.get((service, name))

    def delete_password(self, service, name):
        self._check()
        if self.saved.pop((service, name), None) is None:
            raise self.errors.KeyringError


def use_store(monkeypatch, store):
    monkeypatch.setitem(sys.modules, "keyring", store)
    monkeypatch.setitem(sys.modules, "keyring.errors", store.errors)
    return store


def file_of(environ):
    return config_folder(environ) / "profiles.json"


class TestFile:
    def test_save_load_list_use_delete(self, environ):
        assert (list_profiles(environ=environ), current_profile(environ=environ)) == ([], None)
        first = save_profile("work", "ui.us-east.aws.tinybird.co/", " t1 ", workspace="w", environ=environ)
        assert (first.host, first.token, first.store, first.current) == (HOST, "t1", "file", True)
        save_profile("home", "localhost:7181", "t2", use=False, environ=environ)
        assert current_profile(environ=environ) == "work"
        assert [(p.name, p.token, p.current) for p in list_profiles(environ=environ)] == [
            ("home", "", False),
            ("work", "", True),
        ]
        assert load_profile("work", environ=environ) == first
        assert use_profile("home", environ=environ).token == "t2"
        assert current_profile(environ=environ) == "home"
        assert delete_profile("home", environ=environ) is True
        assert delete_profile("home", environ=environ) is False
        assert current_profile(environ=environ) is None

    def test_saving_again_replaces(self, environ):
        save_profile("work", HOST, "old", environ=environ)
        save_profile("work", HOST, "new", environ=environ)
        assert load_profile("work", environ=environ).token == "new"
        assert "old" not in file_of(environ).read_text()

    def test_only_the_owner_can_read_it(self, environ):
        before = os.umask(0)
        try:
            save_profile("work", HOST, "t", environ=environ)
            save_profile("work", HOST, "t", environ=environ)
        finally:
            os.umask(before)
        for path in file_of(environ).parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(file_of(environ).parent.stat().st_mode) == 0o700

    def test_a_failed_change_leaves_the_old_file_and_no_litter(self, environ, monkeypatch):
        save_profile("work", HOST, "t", environ=environ)
        before = file_of(environ).read_bytes()

        def fail(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(ConfigurationError, match="No space left"):
            save_profile("other", HOST, "t", environ=environ)
        assert file_of(environ).read_bytes() == before
        assert sorted(path.name for path in file_of(environ).parent.iterdir()) == ["profiles.json", "profiles.lock"]

    def test_writers_at_the_same_time_lose_nothing(self, environ):
        threads = [
            threading.Thread(target=save_profile, args=(f"p{n}", HOST, "t"), kwargs={"environ": environ})
            for n in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list_profiles(environ=environ)) == 12

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{\n\noops", "line 3: this is not JSON"),
            ("[]", "line 1: expected"),
            ('{"profiles": {"a": 1}}', "line 1: expected"),
        ],
    )
    def test_a_damaged_file_is_said(self, environ, text, said):
        file_of(environ).parent.mkdir()
        file_of(environ).write_text(text)
        for call in (list_profiles, current_profile):
            with pytest.raises(ConfigurationError, match=said):
                call(environ=environ)

    @pytest.mark.parametrize("name", ["", " work", "a\nb"])
    def test_names(self, environ, name):
        with pytest.raises(InvalidInput):
            save_profile(name, HOST, "t", environ=environ)

    def test_nothing_is_saved_that_cannot_be_used(self, environ):
        with pytest.raises(InsecureHost):
            save_profile("work", "http://api.tinybird.co", "t", environ=environ)
        with pytest.raises(InvalidInput, match="needs a token"):
            save_profile("work", HOST, " ", environ=environ)
        assert not file_of(environ).exists()

    def test_a_missing_one(self, environ):
        save_profile("work", HOST, "t", environ=environ)
        for call in (load_profile, use_profile):
            with pytest.raises(ConfigurationError, match=r"no saved login 'wrok'\. Did you mean 'work'"):
                call("wrok", environ=environ)
        assert current_profile(environ=environ) == "work"

    def test_a_token_is_hidden(self, environ):
        assert "secret" not in repr(save_profile("work", HOST, "secret-token", environ=environ))

    def test_where_it_is(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert config_folder({}) == tmp_path / ".config" / "tinymagic"
        assert config_folder({"XDG_CONFIG_HOME": "/x"}).as_posix() == "/x/tinymagic"
        assert config_folder({"XDG_CONFIG_HOME": "/x", "TINYMAGIC_CONFIG_HOME": "/y"}).as_posix() == "/y"


class TestStore:
    def test_the_token_is_in_the_store_and_not_in_the_file(self, environ, monkeypatch):
        store = use_store(monkeypatch, Store())
        saved = save_profile("work", HOST, "secret-token", environ=environ)
        assert saved.store == "keyring"
        assert "secret" not in file_of(environ).read_text()
        assert load_profile("work", environ=environ).token == "secret-token"
        delete_profile("work", environ=environ)
        assert store.saved == {}

    def test_a_package_without_a_store_behind_it(self, environ, monkeypatch):
        use_store(monkeypatch, Store(works=False))
        assert save_profile("work", HOST, "t", environ=environ).store == "file"
        assert load_profile("work", environ=environ).token == "t"

    def test_a_token_that_has_gone_is_said(self, environ, monkeypatch):
        store = use_store(monkeypatch, Store())
        save_profile("work", HOST, "t", environ=environ)
        store.saved.clear()
        with pytest.raises(ConfigurationError, match="not in the keyring any more"):
            load_profile("work", environ=environ)

    def test_moving_to_the_file_forgets_the_stored_one(self, environ, monkeypatch):
        store = use_store(monkeypatch, Store())
        save_profile("work", HOST, "old", environ=environ)
        save_profile("work", HOST, "new", keyring=False, environ=environ)
        assert store.saved == {}
        assert json.loads(file_of(environ).read_text())["profiles"]["work"]["token"] == "new"
