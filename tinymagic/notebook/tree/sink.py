"""``%tinybird sink``. Pure."""

from __future__ import annotations

from tinymagic.notebook.options import Option
from tinymagic.notebook.tree.command import PARAM, PARAMS, WAIT, YES, Command, Noun

_CONNECTION = Option(("--connection",), "name of a connection", "CONNECTION")
_FILES = (
    Option(("--path",), "where the files go, for instance s3://bucket/prefix", "URI"),
    Option(("--file-template",), "name of the files, columns in braces: 'sales_{day}'", "TEMPLATE"),
    Option(("--format",), "of the files; default csv", "csv|ndjson|parquet", "choice", ("csv", "ndjson", "parquet")),
    Option(("--compression",), "of the files, for instance gzip; default none", "NAME_OF_COMPRESSION"),
    Option(
        ("--write-strategy",),
        "what becomes of a file that is there: it stays (new), or is overwritten",
        "new|truncate",
        "choice",
        ("new", "truncate"),
    ),
)

SINK = Noun(
    "sink",
    "Pipes whose rows go into files of a bucket, or to Kafka",
    (
        Command(("sink", "ls"), "all Sink Pipes, as a DataFrame", "sink:ls"),
        Command(
            ("sink", "create"),
            "let a node's rows be written elsewhere",
            "sink:create",
            ("PIPE", "NODE"),
            (
                _CONNECTION,
                *_FILES,
                Option(("--schedule",), "cron in quotes, UTC, for instance '0 * * * *'", "CRON"),
                Option(("--kafka-topic",), "for a connection to Kafka, in the place of the files", "TOPIC"),
            ),
            "--connection is needed, and --path and --file-template or --kafka-topic.",
        ),
        Command(
            ("sink", "run"),
            "write now; settings are for this run only",
            "sink:run",
            ("NAME",),
            (PARAM, PARAMS, _CONNECTION, *_FILES, WAIT),
        ),
        Command(
            ("sink", "schedule"),
            "set when it runs by itself, or with none: only when asked",
            "sink:schedule",
            ("NAME", "CRON|none"),
        ),
        Command(("sink", "rm"), "make it a plain node again; files stay", "sink:rm", ("NAME",), (YES,)),
        Command(
            ("sink", "settings"),
            "who writes, for the trust that AWS asks for",
            "sink:settings",
            ("[SERVICE]",),
            details="SERVICE is s3 when it is left out; gcs tells the account at Google that needs the rights.",
        ),
        Command(
            ("sink", "policy"),
            "a policy document to paste at AWS",
            "sink:policy",
            ("POLICY", "[SERVICE]"),
            (Option(("--bucket",), "that the policy is about", "BUCKET"),),
            "POLICY is trust-policy, write-access-policy or read-access-policy.",
        ),
    ),
)
