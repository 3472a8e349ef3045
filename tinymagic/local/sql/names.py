"""Which tables, functions and settings a statement may name: the lists, and the refusals in the service's words.

Pure. `sql.gate` finds the names; here is what they are worth. Source: ``query.md`` section 2, and what else an engine
on the user's own machine must not do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tinymagic.local.errors import BadRequest

if TYPE_CHECKING:
    from tinymagic.local.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Collection

#: How the engine says which bracket is open or too many; the service says it with the bracket in front.
_UNMATCHED_RE = re.compile(
    r"Syntax error: failed at position \d+ \(.*\): (?P<rest>.*)\. "
    r"Unmatched parentheses: '(?P<bracket>.)' at position (?P<position>\d+) .*",
    re.DOTALL,
)

SYNTAX_PAGE = "/query/query-parameters.html"

CONTACT = "Contact support@tinybird.co if you require access to this feature"


#: Tables of the engine that everybody may read: they hold nothing.
OPEN_TABLES = {("system", name) for name in ("one", "numbers", "numbers_mt", "zeros", "zeros_mt")}

#: Tables that only describe the engine's vocabulary.
OPEN_TABLES |= {("system", "functions"), ("system", "formats"), ("system", "data_type_families")}

#: Databases that exist beside the workspace's own, or look as if they did: after IN they mean tables, never columns.
DATABASE_RE = re.compile(
    r"(?i:system|information_schema|default|_temporary_and_external_tables|tinybird|organization)|w_[0-9a-f]{32}"
)

ALLOWED_SETTINGS = {"join_use_nulls", "join_algorithm", "date_time_output_format"}

_TABLE_FUNCTIONS = {"generaterandom", "null", "numbers", "numbers_mt", "values", "zeros", "zeros_mt"}

#: How the parser calls the standard ``VALUES (1, 2), (3, 4)`` in FROM.
_TABLE_FUNCTIONS |= {"sqlstandardvalues"}

#: Of these the engine thinks that they need a temporary table, which ``readonly=1`` forbids and ``readonly=2`` allows.
READONLY_2_TABLE_FUNCTIONS = {"zeros", "zeros_mt"}

#: Their first argument may be a text with columns, which can have expressions.
STRUCTURE_TABLE_FUNCTIONS = {"generaterandom", "null", "values"}

_COPY_TABLE_FUNCTIONS = set("postgresql mysql mongodb url azureblobstorage gcs iceberg s3 deltalake".split())

_DISABLED_TABLE_FUNCTIONS = set("generateseries generate_series format fuzzjson cluster clusterallreplicas".split())

#: Functions that tell about the machine or the server, wait, write to its log, reach files or the network, or read
#: tables by a name in a string. The first lines are the service's own list (``query.md`` section 2).
_RESTRICTED_FUNCTIONS = set(
    """
    sleep sleepeachrow hostname fqdn fullhostname uptime version revision buildid serveruuid tcpport user currentuser
    current_user currentdatabase current_database database schema currentprofiles currentroles enabledroles defaultroles
    getmacro getsetting getserverport getoskernelversion filesystemavailable filesystemcapacity filesystemfree
    filesystemunreserved addresstoline addresstosymbol demangle zookeepersessionuptime displayname initialqueryid
    initial_query_id shardnum shardcount file catboostevaluate reversednsquery hascolumnintable indexhint mergetreeindex
    showcertificate globalvariable executable
    addresstolinewithinlines authenticateduser session_user current_schemas currentschemas currenthandler
    currentrequesturl enabledprofiles defaultprofiles getclienthttpheader getmaxtablenamelengthfordatabase
    getmergetreesetting getserversetting getsettingordefault getserverhttpheader logtrace tid generateserialid
    initialquerystarttime hasthreadfuzzer isMergeTreePartCoveredBy mergetreepartinfo evalmlmethod pggetuserbyid
    pgtableisvisible pg_get_userbyid pg_table_is_visible initial_query_start_time authuser generaterandomstructure
    transactionlatestsnapshot transactionoldestsnapshot fuzzquery errorcodetoname chdb parsequerytojson
    formatqueryfromjson structuretocapnprotoschema structuretoprotobufschema
    naivebayesclassifier naivebayesclassifierwithprob naivebayesclassifierwithallprobs
    """.lower().split()
)
_AI_FUNCTIONS = set("aiclassify aiembed aiextract aifilter aigenerate airedact aisimilarity aitranslate".split())

#: Functions whose first argument names a table or a dictionary.
NAMING_FUNCTION_RE = re.compile(r"dict(get|has|isin).*|joinget(ornull)?", re.IGNORECASE)

#: What the parser writes for syntax, and the engine does not list among its functions.
SYNTAX_FUNCTIONS = {"lambda"}

#: Columns of every table that tell about the server.
SERVER_COLUMNS = {"_database", "_disk_name"}

#: Columns of every table that tell where a row lies, and so how many others there are.
VIRTUAL_COLUMN_RE = re.compile(r"_(part|partition|block|sample|row|granule|mark)(_\w+)?")

IN_FUNCTIONS = {
    f"{prefix}{name}"
    for prefix in ("", "global")
    for name in ("in", "notin", "nullin", "notnullin", "inignoreset", "notinignoreset", "nullinignoreset")
} | {"notnullinignoreset", "globalnotnullinignoreset"}

#: Table functions that are not for users and no ordinary functions as well; the right side of IN may be one.
OTHER_TABLE_FUNCTIONS = (
    set(
        """
    file remote remotesecure merge input view viewifpermitted viewexplain dictionary executable hdfs hudi jdbc odbc
    sqlite redis loop mergetreeindex mergetreeprojection mergetreetextindex urlcluster s3cluster filecluster python eval
    filesystem bigquery arrowstream ytsaurus oss cosn
    """.split()
    )
    | _COPY_TABLE_FUNCTIONS
    | _DISABLED_TABLE_FUNCTIONS
)


#: What the service says of a table function that only copies may use.
COPIES_ONLY = "is restricted to Copy Pipes"


def check_function(name: str, *, by_name: bool = False) -> None:
    """Refuse a restricted function.

    Args:
        name: of the function.
        by_name: it is given by its name alone, without arguments to look at; then one that names a table in its
            arguments is refused too.

    Raises:
        BadRequest: with the service's text.
    """
    low = name.lower()
    restricted = low in _RESTRICTED_FUNCTIONS or low in _AI_FUNCTIONS or low.startswith("__")
    if restricted or (by_name and (NAMING_FUNCTION_RE.fullmatch(low) or low in IN_FUNCTIONS)):
        raise refused(f"Usage of function {name} is restricted. {CONTACT}")


def check_table_function(name: str, existing: Collection[str], *, copying: bool = False) -> None:
    """Refuse a table function that is not on the service's list.

    Args:
        name: of the table function.
        existing: all that the engine has, in small letters.
        copying: for a Copy Pipe, which may read from elsewhere.

    Raises:
        BadRequest: with the service's text for its kind.
    """
    low = name.lower()
    if low in _TABLE_FUNCTIONS or (copying and low in _COPY_TABLE_FUNCTIONS):
        return
    if low in _COPY_TABLE_FUNCTIONS:
        raise refused(f"Usage of function {name} {COPIES_ONLY}. {CONTACT}")
    if low in _DISABLED_TABLE_FUNCTIONS:
        raise BadRequest(f"The query uses disabled table functions: '{name}'", documentation=SYNTAX_PAGE)
    if low not in OTHER_TABLE_FUNCTIONS and low not in existing:
        raise refused(f"Unknown function {name}. {CONTACT}")
    raise refused(f"Usage of function {name} is restricted. {CONTACT}")


def named_by(text: str) -> tuple[str, str]:
    """Return database and table that a text such as the first argument of ``joinGet`` names: split at the first dot.

    Example:
        >>> named_by("a.b.c"), named_by("a")
        (('a', 'b.c'), ('', 'a'))
    """
    first, dot, rest = text.partition(".")
    return (first, rest) if dot else ("", first)


def refused(message: str) -> BadRequest:
    """Make the error for a statement that the gate does not let through."""
    return BadRequest(f"DB::Exception: {message}", documentation=SYNTAX_PAGE)


def syntax_message(error: EngineError) -> str:
    """Return the parser's message as the service has it, without our own question around the user's text."""
    head, separator, _ = error.message.rpartition(": In scope ")
    message = head if separator else error.message
    unmatched = _UNMATCHED_RE.fullmatch(message)
    if unmatched is None:
        return message
    return (
        f"Syntax error: failed at position {unmatched['position']} ({unmatched['bracket']}): {unmatched['rest']}. "
        f"Unmatched parentheses: {unmatched['bracket']}"
    )
