"""Loading, unloading, configuration, and which connection counts."""

from __future__ import annotations

import pytest

from tinymagic import local
from tinymagic.notebook import extension


def state(shell):
    """Return what an extension may change in a shell."""
    formatters = shell.display_formatter
    return {
        "magics": {kind: dict(magics) for kind, magics in shell.magics_manager.magics.items()},
        "configurables": list(shell.configurables),
        "config": str(shell.config),
        "transformers": list(shell.input_transformers_cleanup),
        "events": {name: len(callbacks) for name, callbacks in shell.events.callbacks.items()},
        "bundles": dict(formatters.mimebundle_formatter.type_printers),
        "displays": dict(formatters.ipython_display_formatter.type_printers),
    }


class TestUnload:
    def test_puts_everything_back(self, bare_shell, clean_settings, server, capsys):
        # IPython's own magics come into being when they are first used.
        bare_shell.run_cell("%config\n%load_ext tinymagic\n%unload_ext tinymagic")
        before = state(bare_shell)
        bare_shell.run_cell("%load_ext tinymagic")
        bare_shell.run_cell(f"%config TinyMagic.host = {server.host!r}")
        assert bare_shell.run_cell("%tbsql SELECT 1").success
        assert state(bare_shell) != before
        bare_shell.run_cell("%unload_ext tinymagic")
        assert state(bare_shell) == before

    def test_gives_magics_of_the_same_name_back(self, bare_shell, clean_settings):
        bare_shell.register_magic_function(lambda line: "other", "line", "tbsql")
        try:
            extension.load(bare_shell)
            extension.unload(bare_shell)
            assert bare_shell.run_line_magic("tbsql", "x") == "other"
        finally:
            del bare_shell.magics_manager.magics["line"]["tbsql"]

    def test_without_load_does_nothing(self, bare_shell):
        before = state(bare_shell)
        extension.unload(bare_shell)
        assert state(bare_shell) == before

    def test_load_twice_is_load_once(self, bare_shell, clean_settings):
        before = state(bare_shell)
        extension.load(bare_shell)
        extension.load(bare_shell)
        extension.unload(bare_shell)
        assert state(bare_shell) == before

    def test_formatters_of_others_keep_working(self, connected):
        import pandas as pd

        formatter = connected.shell.display_formatter.mimebundle_formatter
        formatter.for_type(pd.DataFrame, lambda frame: {"text/plain": "from another package"})
        try:
            assert "1 row" in connected.ok("%tbsql SELECT 1 AS n").printed
            assert "from another package" in connected.ok("import pandas\npandas.DataFrame({'a': [1]})").printed
        finally:
            extension.unload(connected.shell)
            assert formatter.pop(pd.DataFrame)(None) == {"text/plain": "from another package"}


class TestConnection:
    def test_of_the_environment_is_read_anew_for_each_cell(self, connected, monkeypatch):
        connected.ok("%tbsql SELECT 1;")
        monkeypatch.setenv("TB_HOST", "http://127.0.0.1:1")
        assert "127.0.0.1:1" in str(connected.run("%tbsql SELECT 1").error)

    def test_stays_open_as_long_as_the_settings_say_the_same(self, connected):
        session = extension._loaded[id(connected.shell)].notebook.session
        assert session.workspace() is session.workspace()

    def test_chosen_in_the_session_wins(self, connected, monkeypatch):
        other = local.start(memory=True, port=0, with_parent=True)
        try:
            session = extension._loaded[id(connected.shell)].notebook.session
            session.choose(session.local(other.host, "a test"))
            assert connected.ok("%tbsql SELECT 1").value.attrs["tinybird"]["host"] == other.host
        finally:
            local.stop(port=other.port)

    def test_of_the_configuration(self, cells, server):
        cells.ok(f"%config TinyMagic.host = {server.host!r}")
        assert cells.ok("%tbsql SELECT 1").value.attrs["tinybird"]["host"] == server.host

    def test_change_of_the_configuration_drops_the_choice(self, cells, server):
        session = extension._loaded[id(cells.shell)].notebook.session
        session.choose(session.local(server.host, "a test"))
        cells.ok("%config TinyMagic.profile = 'work'")
        assert session.chosen is None

    @pytest.mark.parametrize("line", ["format = 'csv'", "limit = -1", "timeout_s = 0"])
    def test_wrong_options_are_refused(self, cells, line, caplog):
        options = extension._loaded[id(cells.shell)].notebook.options
        name = line.split()[0]
        before = getattr(options, name)
        cells.run(f"%config TinyMagic.{line}")
        # traitlets writes the reason into the log, which IPython shows.
        assert name in caplog.text
        assert getattr(options, name) == before


def test_help_of_the_magics(cells):
    """`%%tbsql?` and `%tinybird?` show the manual."""
    for name, words in (("%%tbsql?", "--show-sql"), ("%tbsql?", "--show-sql"), ("%tinybird?", "datasource ls")):
        info = cells.shell.object_inspect(name.rstrip("?"))
        assert info["found"]
        assert words in info["docstring"]
        assert cells.run(name).error is None
