"""``%tinybird datasource``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import WAIT, YES, Command, Noun

_ENGINE_OPTIONS = (
    Option(("--engine",), "table engine; default MergeTree", "ENGINE"),
    Option(("--sorting-key",), "columns by which rows are sorted, with commas", "COLUMNS"),
    Option(("--partition-key",), "expression by which rows are kept apart", "EXPRESSION"),
    Option(("--description",), "in words", "TEXT"),
)
_FORMAT = Option(
    ("--format",),
    "of the file, when its name does not tell",
    "csv|ndjson|parquet",
    "choice",
    ("csv", "ndjson", "parquet"),
)

_NO_INDEX = Option(("--no-index",), "of a DataFrame: leave a named index out, which else becomes columns")

_AS_USER = Option(("--as-user",), "with your user token (of TB_USER_TOKEN, or asked for), where the service needs it")

DATASOURCE = Noun(
    "datasource",
    "tables: what there is, rows in and out, and their definitions",
    (
        Command(("datasource", "ls"), "all Data Sources, as a DataFrame", "datasource:ls"),
        Command(("datasource", "show"), "columns, engine, size, quarantine of one", "datasource:show", ("NAME",)),
        Command(
            ("datasource", "data"),
            "its first rows",
            "datasource:data",
            ("NAME",),
            (Option(("--limit",), "so many; default 10", "N", "count"),),
        ),
        Command(
            ("datasource", "create"),
            "make one, empty or from rows",
            "rows:create",
            ("NAME",),
            (
                Option(("--schema",), "columns, for instance 'day Date, amount Float64'", "SCHEMA"),
                Option(("--from-df",), "take columns and rows from this DataFrame", "DF", "variable"),
                Option(("--file",), "take columns and rows from a CSV, NDJSON or Parquet file", "FILE"),
                _FORMAT,
                _NO_INDEX,
                *_ENGINE_OPTIONS,
                Option(("--to",), "only write its datafile, into this project folder", "FOLDER"),
                YES,
            ),
            "One of --schema, --from-df and --file is needed; --schema may go with --file.\n"
            "--to asks before it overwrites a file, unless --yes.",
        ),
        Command(
            ("datasource", "append"),
            "add rows from a file, a URL or a DataFrame, and account for each",
            "rows:append",
            ("NAME", "FILE|URL|DF"),
            (
                _FORMAT,
                Option(
                    ("--via",),
                    "how rows travel; by default what suits their kind and size",
                    "events|multipart|job",
                    "choice",
                    ("events", "multipart", "job"),
                ),
                Option(("--batch",), "most rows of a request; default: what goes in", "N", "count"),
                _NO_INDEX,
                Option(("--no-wait",), "of a URL or --via job: start the job, and do not follow it"),
            ),
        ),
        Command(
            ("datasource", "replace"),
            "put rows in the place of all, or of those that --where names",
            "rows:replace",
            ("NAME", "FILE|URL|DF"),
            (
                Option(("--where",), "SQL that is true for the rows to be replaced", "CONDITION"),
                Option(("--job",), "send it as an import job, for what is too large for one request"),
                _FORMAT,
                _NO_INDEX,
                YES,
            ),
            "It says how many rows make room, and asks. Readers see no gap, and never a part of the new rows.",
        ),
        Command(
            ("datasource", "truncate"),
            "delete all rows; its definition and its quarantine stay",
            "datasource_rows:truncate",
            ("NAME",),
            (YES,),
        ),
        Command(
            ("datasource", "delete"),
            "delete the rows that --where names",
            "datasource_rows:delete",
            ("NAME",),
            (
                Option(("--where",), "SQL that is true for the rows to be deleted", "CONDITION"),
                Option(("--dry-run",), "only say how many there are"),
                Option(("--lightweight",), "mark rows instead of rewriting the table: sooner done (in beta)"),
                Option(("--partition",), "with --lightweight: only in this partition", "EXPRESSION"),
                YES,
            ),
            "It counts the rows and asks. What Pipes have made of the rows stays.",
        ),
        Command(
            ("datasource", "rm"),
            "delete one with its rows",
            "datasource_changes:rm",
            ("NAME",),
            (YES, Option(("--force",), "also when something depends on it")),
        ),
        Command(
            ("datasource", "rename"),
            "give one another name",
            "datasource_changes:rename",
            ("NAME", "NEW_NAME"),
        ),
        Command(
            ("datasource", "alter"),
            "change columns, description, TTL or indexes",
            "datasource_changes:alter",
            ("NAME",),
            (
                Option(("--schema",), "all columns, new and old; $NAME takes a variable", "SCHEMA|$NAME"),
                Option(("--description",), "in words", "TEXT|$NAME"),
                Option(("--ttl",), "when rows go, for instance 'day + toIntervalMonth(3)'; none: never", "TTL|none"),
                Option(("--indexes",), "all of them, one per line, or none; $NAME takes a variable", "INDEXES|none"),
                Option(("--dry-run",), "only show what would be done"),
                YES,
            ),
            "It shows what will be done, and asks.",
        ),
        Command(
            ("datasource", "share"),
            "let another Workspace read one",
            "datasource_changes:share",
            ("NAME", "WORKSPACE"),
            (_AS_USER,),
        ),
        Command(
            ("datasource", "unshare"),
            "share one no longer",
            "datasource_changes:unshare",
            ("NAME", "WORKSPACE"),
            (_AS_USER, YES),
        ),
        Command(
            ("datasource", "exchange"),
            "let two change places: rows and columns",
            "datasource_changes:exchange",
            ("NAME", "OTHER"),
            (YES,),
        ),
        Command(
            ("datasource", "quarantine"),
            "why rows did not fit, and the newest of them",
            "datasource_rows:quarantine",
            ("NAME",),
            (Option(("--rows",), "so many of them; default 10", "N", "count"),),
        ),
        Command(("datasource", "sql"), "its definition, as the text of a datafile", "datasource:sql", ("NAME",)),
        Command(
            ("datasource", "dependencies"),
            "which Pipes read which Data Sources",
            "datasource_changes:dependencies",
            ("[NAME]",),
            (
                Option(("--pipe",), "only what this Pipe reads", "PIPE"),
                Option(("--recursive",), "also what is made of it"),
            ),
        ),
        Command(
            ("datasource", "schedule"),
            "the schedule of its connector: run now, pause, resume, or how it stands",
            "datasource_connectors:schedule",
            ("NAME", "[run|pause|resume|state]"),
        ),
        Command(
            ("datasource", "sample"),
            "import a sample of what its connector sees (S3, GCS, DynamoDB)",
            "datasource_connectors:sample",
            ("NAME",),
            (
                Option(("--max-files",), "from 1 to 10", "N", "count"),
                Option(("--rows",), "at most so many", "N", "count"),
                Option(("--max-bytes",), "at most so many", "N", "count"),
                Option(("--full-export",), "everything (DynamoDB)"),
                WAIT,
            ),
        ),
        Command(
            ("datasource", "start"), "begin to read from Kafka, in a branch", "datasource_connectors:start", ("NAME",)
        ),
        Command(("datasource", "stop"), "end reading from Kafka, in a branch", "datasource_connectors:stop", ("NAME",)),
    ),
)
