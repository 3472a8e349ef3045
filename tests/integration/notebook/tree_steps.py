"""The whole tree as one story: lines of ``%tinybird`` in an order in which they make sense, and what each one shows.

Every command is in it at least once; a test sees to that. ``{s3}``, ``{folder}`` and names in braces that an earlier
step has kept are filled in.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One line of a cell.

    Attributes:
        line: behind ``%tinybird``; a whole cell when it begins with ``cell:``.
        shows: texts that are in what is printed or in the frame.
        answer: to a question.
        secret: typed where a secret is asked for.
        keeps: name under which the last word of what is printed that looks like an id is kept, or a column of the
            first row of the frame: ``name=column``.
        fails: text of the error that this step ends with; ``""`` for success.
    """

    line: str
    shows: tuple[str, ...] = ()
    answer: str = ""
    secret: str = ""
    keeps: str = ""
    fails: str = ""


SETUP = """cell:import pandas as pd
rows = pd.DataFrame({"day": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]), "amount": [1.5, 2.5, 3.5]})
few = rows.head(1)
event = [{"day": "2024-02-01", "amount": 9.0}]
query = "select day,sum(amount) total from trips group by day"
limits = {"least": 2}
secret_key = "minio-secret"
stream = iter([{"day": "2024-03-01", "amount": 1.0}, {"day": "2024-03-02", "amount": 2.0}])
"""

#: One more Pipe in the project folder.
EXTRA = """cell:from pathlib import Path
folder = Path("{folder}/project/pipes")
folder.mkdir(parents=True, exist_ok=True)
(folder / "extra#.pipe").write_text("NODE n\\nSQL >\\n    SELECT 1 AS one\\n");
"""

#: Who am I, and the embedded server itself.
CONNECTION = (
    Step("", ("Workspace:", "Token:")),
    Step("info", ("Scope:",)),
    Step("version", ("tinymagic",)),
    Step("regions", ("https://api.us-east.aws.tinybird.co",)),
    Step("local status", ("listens on",)),
    Step("local sample", ("flights",)),
    Step("login --host {host}", ("Connected to",)),
    Step("login --host {remote} --profile second", ("saved as 'second'",), secret="{token}"),
    Step("profiles", ("second",)),
    Step("use second", ("second",)),
    Step("doctor", ("All is well",)),
    Step("doctor --scan {folder}/clean.txt", ("No token found",)),
)

DATASOURCES = (
    Step(SETUP),
    Step("datasource create trips --from-df rows --sorting-key day", ("Created trips", "3 rows")),
    Step("datasource ls", ("trips",)),
    Step("datasource show trips", ("sorting_key", "amount")),
    Step("datasource append trips few", ("1 row",)),
    Step("datasource data trips --limit 2", ("showing 2",)),
    Step("datasource append trips broken.csv", ("quarantine",)),
    Step("datasource quarantine trips", ("much",)),
    Step("datasource sql trips", ("SCHEMA >", "amount")),
    Step("datasource create daily_trips --schema 'day Date, amount Float64' --sorting-key day", ("Created",)),
    Step("datasource replace daily_trips few", ("1 row",)),
    Step("datasource alter daily_trips --description 'by day' --yes", ()),
    Step("datasource delete daily_trips --where 'amount > 1' --yes", ()),
    Step("datasource create other_trips --schema 'day Date, amount Float64' --sorting-key day", ("Created",)),
    Step("datasource exchange daily_trips other_trips --yes", ("other_trips",)),
    Step("datasource rename other_trips renamed_trips", ("renamed_trips",)),
    Step("datasource truncate renamed_trips --yes", ("renamed_trips",)),
    Step("datasource dependencies trips", ()),
    Step("events send renamed_trips event --wait", ("1 row",)),
    Step("events stream renamed_trips stream --wait", ("2 rows",)),
    Step("events retry", fails="nothing to send again"),
    Step("datasource schedule trips state", fails="no connector"),
    Step("datasource start trips", fails="no connector"),
    Step("datasource stop trips", fails="no connector"),
    Step("datasource sample trips --wait", fails="no connector"),
    Step("workspace create readers", ("readers",)),
    Step("workspace ls", ("in use",)),
    Step("workspace show Tinybird_Local_Testing", ("local@tinymagic.dev",)),
    Step("workspace user", ("local@tinymagic.dev",)),
    Step("workspace organization", ("Organization:",)),
    Step("workspace releases", ()),
    Step("datasource share trips readers --as-user", ("readers",), secret="{user_token}"),
    Step("datasource unshare trips readers --as-user --yes", ("readers",), secret="{user_token}"),
    Step("analyze clean.csv", ("day",)),
    # Panels; a terminal is told that they need a notebook.
    Step("ui"),
    Step("browse"),
    Step("variables"),
    Step("pipes"),
    Step("jobs"),
    Step("tokens"),
    Step("job ls", ("delete_data",), keeps="job=id"),
    Step("job show {job}", ("{job}",)),
    Step("job wait {job}", ("done",)),
    Step("job cancel {job}", fails="cannot be cancelled"),
    Step("job retry {job}", fails="can be retried"),
)

PIPES = (
    Step("pipe create top --sql $query --node daily --publish --yes", ("top",)),
    Step("pipe ls", ("top",)),
    Step("pipe show top", ("daily",)),
    Step("pipe append-node top --sql 'SELECT * FROM daily LIMIT 1' --name first", ("first",)),
    Step("pipe set-node top first --sql 'SELECT * FROM daily LIMIT 2'", ("first",)),
    Step("pipe data top", ("total",)),
    Step("pipe link top --yes", ("/v0/pipes/top",)),
    Step("pipe stats", ()),
    Step("pipe explain top", ()),
    Step("pipe openapi top", ("top",)),
    Step("pipe export top --to {folder}/exported --yes", ("top.pipe",)),
    Step("pipe cells top --to {folder}/top.ipynb --yes", ("top.ipynb",)),
    Step("pipe rm-node top first --yes", ("first",)),
    Step("pipe unpublish top --yes", ("top",)),
    Step("pipe publish top daily", ("top",)),
    Step("pipe describe top 'totals by day'", ("top",)),
    Step("pipe rename top totals", ("totals",)),
    Step("pipe rename totals top", ("top",)),
)

MATERIALIZATIONS = (
    Step(
        "pipe create by_day --sql 'SELECT day, sum(amount) AS total FROM trips GROUP BY day' --node n --yes",
        ("by_day",),
    ),
    Step("materialization analyze by_day n", ("ENGINE", "total")),
    Step("materialization create by_day n daily_totals --yes", ("daily_totals",)),
    Step("materialization ls", ("by_day",)),
    Step("materialization populate by_day n --wait --yes", ("done",)),
    Step("materialization unlink by_day n --yes", ("by_day",)),
)

COPIES = (
    Step("datasource create trips_copy --schema 'day DateTime, amount Float64'", ("Created",)),
    Step("pipe create to_copy --sql 'SELECT toDateTime(day) AS day, amount FROM trips' --node n --yes", ("to_copy",)),
    Step("copy create to_copy n trips_copy", ("trips_copy",)),
    Step("copy ls", ("to_copy",)),
    Step("copy run to_copy --wait", ("done",)),
    Step("copy schedule to_copy '0 5 * * *'", ("to_copy",)),
    Step("copy pause to_copy", ("to_copy",)),
    Step("copy resume to_copy", ("to_copy",)),
    Step("copy cancel to_copy", ("to_copy",)),
    Step("copy sql --wait trips_copy SELECT * FROM trips_copy", ("done",)),
    Step("copy sql --mode replace --yes --wait trips_copy SELECT * FROM trips_copy", ("done",)),
    Step("copy sql --mode replace trips_copy SELECT * FROM trips_copy", fails="Nobody can be asked"),
    Step("copy rm to_copy --yes", ("to_copy",)),
)

SINKS = (
    Step("sink settings", ()),
    Step("sink policy trust-policy", ("Statement",)),
    Step(
        "connection create lake s3 --set s3_region=us-east-1 --set s3_endpoint={s3} --secret s3_access_key_id "
        "--secret s3_secret_access_key",
        ("lake",),
        secret="minio-secret",
    ),
    Step("connection ls", ("lake",)),
    Step("connection show lake", ("us-east-1",)),
    Step(
        "connection set lake --set s3_region=us-east-1 --set s3_endpoint={s3} --set s3_access_key_id=$secret_key "
        "--set s3_secret_access_key=$secret_key",
        ("lake",),
    ),
    Step("pipe create to_lake --sql 'SELECT amount FROM trips' --node n --yes", ("to_lake",)),
    Step("sink create to_lake n --connection lake --path s3://{bucket}/out --file-template all", ("to_lake",)),
    Step("sink ls", ("to_lake",)),
    Step("sink run to_lake --wait", ("done",)),
    Step("sink schedule to_lake '0 5 * * *'", ("to_lake",)),
    Step("sink rm to_lake --yes", ("to_lake",)),
    Step("connection rm lake --yes", ("lake",)),
)

ACCESS = (
    Step("token ls", ("workspace admin token",)),
    Step("token create static reader --scope PIPES:READ:top", ("reader",)),
    Step("token show reader", ("PIPES:READ:top",)),
    Step("token scopes reader", ("PIPES:READ",)),
    Step("token set reader --description 'reads the top'", ("reader",)),
    Step("token refresh reader --yes", ("reader",)),
    Step("token create jwt visitor --scope PIPES:READ:top --to visitor", ("visitor",)),
    Step("token rm reader --yes", ("reader",)),
    Step("variable set api_key", ("api_key",), secret="a-secret-of-the-story"),
    Step("variable ls", ("api_key",)),
    Step("variable get api_key", ("api_key",)),
    Step("variable used-by api_key", ()),
    Step("variable rm api_key --yes", ("api_key",)),
    Step("tag create shop --add trips", ("shop",)),
    Step("tag ls", ("shop", "trips")),
    Step("tag set shop --add top", ("shop",)),
    Step("tag rm shop --yes", ("shop",)),
    Step("workspace current", ("Tinybird_Local_Testing",)),
    Step("workspace members", ("local@tinymagic.dev",)),
    Step("workspace use readers", ("readers",)),
    Step("use second", ("second",)),
    Step("workspace rm readers --yes", ("readers",)),
    Step("branch create trial", ("trial",)),
    Step("branch ls", ("trial",)),
    Step("branch show trial", ("trial",)),
    Step("branch data trial --yes", ("trial",)),
    Step("branch use trial", ("trial",)),
    Step("use second", ("second",)),
    Step("branch rm trial --yes", ("trial",)),
)

PROJECT = (
    Step("pull {folder}/project --yes", ("trips",)),
    Step("deploy {folder}/project --check", ()),
    Step("deploy {folder}/project --yes", ()),
    Step("build {folder}/project --yes", ()),
    Step("deployment ls", ("live",)),
    Step("deployment show", ("live",)),
    Step("deployment promote", fails="No deployment waits"),
    Step(EXTRA.replace("#", "1")),
    Step("deploy {folder}/project --no-promote --yes", ("extra1",)),
    Step("deployment promote", ("live",)),
    Step(EXTRA.replace("#", "2")),
    Step("deploy {folder}/project --no-promote --yes", ("extra2",)),
    Step("deployment discard --yes", ("Discarded",)),
)

LAST = (
    Step("usage --days 1", ("requests",)),
    Step("fmt $query".replace("$", ""), ("SELECT",)),
    Step("fmt --tables SELECT * FROM some_table", ("some_table",)),
    Step("fmt --replace some_table=another SELECT * FROM some_table", ("another",)),
    Step("fmt --replace some_table SELECT 1", fails="OLD=NEW"),
    Step("datasource show not_there", fails="There is no Data Source"),
    Step("why", ("was answered 404",)),
    Step("pipe rm top --yes", ("top",)),
    Step("datasource rm trips_copy --yes", ("Deleted",)),
    Step("logout second", ("is deleted",)),
    Step("local reset --yes", ("Deleted all",)),
    Step("local stop --port {port}", ("is stopped",)),
    # With a server of its own again, so that the story ends as it began.
    Step("local start --memory --port 0", ("listens on",)),
)

STORY: tuple[Step, ...] = (
    *CONNECTION,
    *DATASOURCES,
    *PIPES,
    *MATERIALIZATIONS,
    *COPIES,
    *SINKS,
    *ACCESS,
    *PROJECT,
    *LAST,
)
