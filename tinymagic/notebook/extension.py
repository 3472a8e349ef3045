"""``%load_ext tinymagic`` and ``%unload_ext tinymagic``.

Loading costs next to nothing: the client, pandas and the embedded server are imported by the first cell that needs
them. Unloading puts everything back: magics of the same names that were there before, formatters, events, options.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core.magic import needs_local_scope, no_var_expand
from traitlets import Bool, CFloat, CInt, Enum, Unicode
from traitlets.config import Configurable

from tinymagic.notebook import colours
from tinymagic.notebook.sql_tab import SqlTab
from tinymagic.notebook.tab import TabKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinymagic.notebook.cells.comparison import Runs
    from tinymagic.notebook.display import Presenter
    from tinymagic.notebook.nodes import NodeStore
    from tinymagic.notebook.schema_cache import SchemaCache
    from tinymagic.notebook.session import Session

_LINE_AND_CELL = {"tbsql": ("line", "cell"), "tinybird": ("line",)}


class TinyMagic(Configurable):
    """Options: ``%config TinyMagic.limit = 1000``, or ``c.TinyMagic.limit = 1000`` in IPython's configuration."""

    host = Unicode("", help="Base URL of the API to talk to; empty: the other settings decide.").tag(config=True)
    region = Unicode("", help="Region to talk to, for instance aws/us-east-1, instead of a host.").tag(config=True)
    profile = Unicode("", help="Name of the saved login to use.").tag(config=True)
    stats = Bool(True, help="Show under each table what the query cost.").tag(config=True)
    limit = CInt(None, allow_none=True, min=0, help="At most so many rows per query; None for all.").tag(config=True)
    format = Enum(
        ("auto", "parquet", "json"), "auto", help="How rows travel; the DataFrame is the same whichever way."
    ).tag(config=True)
    timeout_s = CFloat(60.0, min=0.001, help="Seconds to wait for a result.").tag(config=True)
    daily_queries = CInt(
        None, allow_none=True, min=0, help="At most so many queries a day to one host, of all notebooks; None for all."
    ).tag(config=True)
    alias_sql = Bool(False, help="Let %sql and %%sql be %tbsql and %%tbsql too.").tag(config=True)


class Notebook:
    """What the magics of one IPython share.

    Args:
        shell: the running IPython.

    Attributes:
        shell: the same.
        options: what ``%config TinyMagic`` shows.
        tab_key: completion of lines of ``%tinybird``.
        sql_tab: completion of SQL.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.options = TinyMagic(parent=shell)
        self._session: Session | None = None
        self._presenter: Presenter | None = None
        self._nodes: NodeStore | None = None
        self._names: SchemaCache | None = None
        self._runs: Runs | None = None
        self.tab_key = TabKey(self)
        self.sql_tab = SqlTab(self)
        self.put_colours_back: Callable[[], None] | None = None
        self._before_alias: dict[str, Any] = {}
        self.options.observe(lambda change: self.set_alias(on=change.new), ["alias_sql"])
        self.options.observe(self._on_connection_change, ["host", "region", "profile"])

    @property
    def session(self) -> Session:
        """The connection."""
        if self._session is None:
            from tinymagic.notebook.session import Session

            self._session = Session(self.options)
        return self._session

    @property
    def names(self) -> SchemaCache:
        """Names of what the Workspace has."""
        if self._names is None:
            from tinymagic.notebook.schema_cache import SchemaCache

            self._names = SchemaCache(self.session)
        return self._names

    def something_changed(self) -> None:
        """Drop names that may be no longer true."""
        if self._names is not None:
            self._names.drop()

    @property
    def nodes(self) -> NodeStore:
        """Cells that were saved under a name."""
        if self._nodes is None:
            from tinymagic.notebook.nodes import NodeStore

            self._nodes = NodeStore()
        return self._nodes

    @property
    def has_nodes(self) -> bool:
        """Whether a cell was saved."""
        return self._nodes is not None and len(self._nodes) > 0

    @property
    def runs(self) -> Runs:
        """What cells read when they ran last."""
        if self._runs is None:
            from tinymagic.notebook.cells.comparison import Runs

            self._runs = Runs()
        return self._runs

    @property
    def presenter(self) -> Presenter:
        """The display of frames."""
        if self._presenter is None:
            from tinymagic.notebook.display import Presenter

            self._presenter = Presenter(self.shell)
            self.shell.events.register("post_run_cell", self._on_cell_end)
        return self._presenter

    def set_alias(self, *, on: bool) -> None:
        """Make ``%sql`` and ``%%sql`` magics of ours, or put back what was there under these names."""
        magics = self.shell.magics_manager.magics
        if on and not self._before_alias:
            for kind in _LINE_AND_CELL["tbsql"]:
                self._before_alias[kind] = magics[kind].get("sql")
                magics[kind]["sql"] = self.tbsql
        elif not on:
            for kind, magic in self._before_alias.items():
                _put_back(magics[kind], "sql", magic)
            self._before_alias.clear()

    @no_var_expand
    @needs_local_scope
    def tbsql(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:
        """Run SQL on Tinybird; the result is a DataFrame.

        ::

            %%tbsql                       the frame is displayed, and is the cell's value
            %%tbsql df                    stored in df, not displayed; also "df <<" and "-o df"
            %%tbsql df= <<                stored and displayed; also --show
            df = %tbsql SELECT ...        in one line

        The SQL stands below ``%%tbsql``, or begins on its line. One SELECT or DESCRIBE; a ``;`` at its end displays
        nothing. Under the table stands what it cost: rows, rows read, bytes read, time on the server, time in all.

        ``{{ name }}`` is the notebook variable *name* as a typed value: numbers, texts, times, UUIDs, None, and lists,
        arrays and Series of them. It travels apart from the SQL, so nothing in it can change the query. No quotes
        around it. Also ``{{ cfg.limit }}``, ``{{ ids[0] }}``, ``{{ cfg['a'] }}``; ``{{ name | ident }}`` is the name of
        a column or table. When the first line is ``%``, the text is a Tinybird template and is sent as it is, with the
        variables that it names.

        Options come before the SQL. The result::

            -o, --out NAME                store the result in this variable, and do not display it
            --show                        display it although it is stored in a variable
            -q, --quiet                   display nothing; a semicolon at the end of the SQL does the same
            -t, --type TYPE               pandas (default), polars, arrow or dicts
            --dtypes exact|numpy|arrow    dtypes of a pandas DataFrame; exact never rounds
            --limit N                     at most so many rows; a cut result says so (--max-results, --rows-limit)
            --stats, --no-stats           show under the table what the query cost (the default), or not
            --expect CHECKS               check the result: rows=10 rows>=1 cols=a,b value=42
            --plot MARK                   draw a chart: line, bar, area, scatter or hist (--x, --y, --color)
            --to-file FILE                write the rows into a file: .parquet, .csv, .ndjson, also .gz

        The query::

            -p, --param NAME=VALUE        a parameter; wins over the variable of that name; may be repeated
            --params JSON                 several parameters: a JSON object, or $name of a dictionary
            -f, --file FILE               read the SQL from a file
            --profile NAME                use this saved login for this query
            --pipeline PIPE               the Pipe or Data Source that _ stands for
            --format auto|parquet|json    how the rows travel; the result is the same
            --timeout S                   seconds to wait for the whole result
            --cache TIME                  take a result of the same query from disk when it is not older, as 10m
            --freeze                      keep the result on disk, and take it from there from then on, also offline
            --background                  do not wait: the result is a handle
            --every TIME                  run again and again, and redraw in place; --for TIME ends it

        And without a result::

            -e, --explain                 show how the query would be run, and do not run it
            --dry-run                     show what would be sent, and do not send it
            --show-sql                    print the text that is sent, and the values sent beside it
            --fmt                         print the SQL in good order, and do not run it
            -S, --save NAME               keep the SQL as a node that later cells and Pipes can read by this name
            -w, --with A,B                put these saved nodes in front, also when the SQL does not name them
            -N, --no-execute              with --save or --pipe: do not run it
            --pipe PIPE                   make a Pipe of the cell; variables become parameters (--node names the node)
            --publish                     with --pipe: make it an endpoint, and tell how to call it
            --to FOLDER                   with --pipe: write a datafile into this folder instead
            --yes                         do not ask before something is replaced
            --persist DF                  %tbsql only: make a Data Source of a DataFrame (--no-index)
            --persist-replace, --append   the same; its rows are replaced, or added

        ``df.attrs["tinybird"]`` tells what was sent and what came back. A failed query fails the cell, with one of
        ``tinymagic.errors``. ``%tinybird --help`` is about everything else.
        """
        from tinymagic.notebook import tbsql

        return tbsql.run(self, line, cell, local_ns)

    @no_var_expand
    def tinybird(self, line: str) -> Any:
        """See what you are connected to, log in, and do everything with Tinybird that is not SQL.

        ::

            %tinybird                     what you are connected to, and what runs
            %tinybird --help              all commands; also behind a noun or a command
            %tinybird login               connect to a Workspace: asks for the token
            %tinybird local start         start a Tinybird on this machine and connect to it
            %tinybird local sample flights
            %tinybird datasource ls       all Data Sources, as a DataFrame
            df = %tinybird datasource ls
            %tinybird datasource create trips --from-df df
            %tinybird datasource append trips more.csv
            %tinybird doctor              check everything between you and your rows

        A command is a noun and a verb. The nouns: ``local`` (the embedded Tinybird), ``datasource``, ``events``,
        ``analyze``, ``pipe``, ``materialization``, ``copy``, ``sink``, ``connection``, ``job``, ``token``,
        ``variable`` (also ``secret``, ``env``), ``workspace``, ``branch``, ``tag``, ``deployment``. ``%tinybird NOUN``
        shows the verbs of one. Without a noun: ``login``, ``logout``, ``info``, ``profiles``, ``use``, ``regions``,
        ``doctor``, ``usage``, ``why``, ``fmt``, ``version``; ``deploy``, ``build``, ``pull`` for project folders; and
        panels to look and click: ``ui`` with all, ``browse``, ``variables``, ``pipes``, ``jobs``, ``tokens``, and
        ``analyze`` alone.

        Lists are DataFrames. What deletes asks first, or takes ``--yes``. Tab completes words, options and names.
        """
        from tinymagic.notebook import tinybird

        return tinybird.run(self, line)

    def keep_single_line(self, lines: list[str]) -> list[str]:
        """Give ``%%tbsql SELECT 1`` as a whole cell a blank body: IPython refuses a cell magic that has none."""
        written = [line for line in lines if line.strip()]
        names = ("%%tbsql", "%%sql") if self.options.alias_sql else ("%%tbsql",)
        is_whole = len(written) == 1 and written[0].split()[0] in names
        return [written[0].rstrip("\n") + "\n", "\n"] if is_whole else lines

    def close(self) -> None:
        """Put back what was registered, and close the connections."""
        self.options.unobserve_all()
        self.set_alias(on=False)
        self.sql_tab.close()
        self.tab_key.close()
        if self.put_colours_back is not None:
            self.put_colours_back()
        if self._names is not None:
            self._names.forget()
        if self._presenter is not None:
            self._presenter.close()
            self.shell.events.unregister("post_run_cell", self._on_cell_end)
        if self._session is not None:
            self._session.forget()

    def _on_connection_change(self, _: Any) -> None:
        self.session.forget()

    def _on_cell_end(self, *_: Any) -> None:
        assert self._presenter is not None  # It was registered together with this.
        self._presenter.forget()


@dataclass(frozen=True)
class _Loaded:
    """What was put into a shell, and what was there before under the same names."""

    notebook: Notebook
    magics: dict[tuple[str, str], Any]
    config: Any


#: By the identity of the shell.
_loaded: dict[int, _Loaded] = {}


def load(shell: Any) -> None:
    """Add the magics to *shell* and say in one line what they are connected to."""
    if id(shell) in _loaded:
        unload(shell)
    # %config writes into the shell's own configuration.
    config = copy.deepcopy(shell.config["TinyMagic"]) if "TinyMagic" in shell.config else None
    notebook = Notebook(shell)
    before: dict[tuple[str, str], Any] = {}
    for name, kinds in _LINE_AND_CELL.items():
        for kind in kinds:
            before[kind, name] = shell.magics_manager.magics[kind].get(name)
            shell.magics_manager.magics[kind][name] = getattr(notebook, name)
    shell.input_transformers_cleanup.insert(0, notebook.keep_single_line)
    shell.configurables.append(notebook.options)
    notebook.tab_key.register()
    notebook.sql_tab.register()
    notebook.put_colours_back = colours.register(shell)
    notebook.set_alias(on=notebook.options.alias_sql)
    _loaded[id(shell)] = _Loaded(notebook, before, config)
    print(notebook.session.line())


def _put_back(magics: dict[str, Any], name: str, magic: Any) -> None:
    if magic is None:
        magics.pop(name, None)
    else:
        magics[name] = magic


def unload(shell: Any) -> None:
    """Take the magics out of *shell*, and put back what was there before."""
    loaded = _loaded.pop(id(shell), None)
    if loaded is None:
        return
    notebook = loaded.notebook
    for (kind, name), magic in loaded.magics.items():
        _put_back(shell.magics_manager.magics[kind], name, magic)
    if notebook.keep_single_line in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(notebook.keep_single_line)
    shell.configurables[:] = [each for each in shell.configurables if each is not notebook.options]
    notebook.close()
    shell.config.pop("TinyMagic", None)
    if loaded.config is not None:
        shell.config["TinyMagic"] = loaded.config
