"""Names of Tinybird resources: what a Data Source, Pipe, node or Workspace may be called.

Pure: no I/O. Client and embedded server both ask here, because the rule is a fact of the
service and not of either side. Source: the vendor's API overview and ``errors-and-limits.md`` section 5.
"""

from __future__ import annotations

import re

NAME_RE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

#: Names that no resource may carry, as the API overview lists them. Compared without regard to case.
FORBIDDEN_NAMES: tuple[str, ...] = tuple(
    """
    Array Boolean Date Date32 DateTime DateTime32 DateTime64 Decimal Decimal128 Decimal256 Decimal32 Decimal64
    Enum Enum16 Enum8 FixedString Float32 Float64 IPv4 IPv6 Int128 Int16 Int256 Int32 Int64 Int8 MultiPolygon
    Point Polygon Ring String TABLE UInt128 UInt16 UInt256 UInt32 UInt64 UInt8 UUID
    _temporary_and_external_tables add after all and anti any array as asc asof between by case collate column
    columns cross cube custom_error day_diff default defined desc distinct else end enumerate_with_last error
    exists from full functions generateRandom global group having if ilike in inner insert interval into join
    left like limit limits max min not null numbers_mt on one or order outer prewhere public right sample select
    semi split_to_array sql_and sql_unescape system table then tinybird to union using where with zeros_mt
    """.split()
)
_FORBIDDEN = {name.lower() for name in FORBIDDEN_NAMES}

QUARANTINE_SUFFIX = "_quarantine"


def name_problem(name: str, *, kind: str = "Data Source") -> str | None:
    """Say in one sentence why *name* cannot be used, or return ``None`` when it can.

    Args:
        name: the name a user wants to give.
        kind: the resource's own word, used in the sentence (``Data Source``, ``Pipe``, ``node``, ``Workspace``).

    Example:
        >>> name_problem("events") is None
        True
        >>> print(name_problem("Select"))
        'Select' is a reserved name and cannot be used for a Data Source. Choose another name, for instance 'select_1'.
    """
    if not name:
        return f"A {kind} needs a name."
    if not NAME_RE.fullmatch(name):
        return (
            f"{name!r} is not a valid {kind} name: use letters, digits and underscores only, "
            f"and start with a letter or an underscore, for instance {valid_name(name)!r}."
        )
    if name.lower() in _FORBIDDEN:
        return (
            f"{name!r} is a reserved name and cannot be used for a {kind}. "
            f"Choose another name, for instance {name.lower() + '_1'!r}."
        )
    if name.lower().endswith(QUARANTINE_SUFFIX) and kind == "Data Source":
        return (
            f"{name!r} ends in '{QUARANTINE_SUFFIX}', which is kept for the rows that did not fit. "
            f"Choose another name, for instance {name[: -len(QUARANTINE_SUFFIX)] + '_rows'!r}."
        )
    return None


def valid_name(text: str) -> str:
    """Make a valid name out of any text: other characters become ``_``, a leading digit gets ``c_``.

    The rule is the vendor's CLI's rule for file names (``datasources.md`` section 8). A result that is
    forbidden gets the ending ``_1``.

    Example:
        >>> valid_name("2024 sales-report"), valid_name("order")
        ('c_2024_sales_report', 'order_1')
    """
    name = re.sub(r"[^a-zA-Z0-9_]", "_", text) or "unnamed"
    if name[0].isdigit():
        name = "c_" + name
    if name.lower() in _FORBIDDEN:
        name += "_1"
    return name


def near_names(name: str, known: list[str], *, most: int = 3) -> list[str]:
    """Return the members of *known* that look like *name*, best first: at most *most* of them.

    Example:
        >>> near_names("flihgts", ["flights", "airports", "planes"])
        ['flights']
    """
    import difflib

    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    return [by_lower[low] for low in difflib.get_close_matches(name.lower(), list(by_lower), n=most, cutoff=0.6)]


def near_hint(name: str, known: list[str]) -> str:
    """Return a question that names the members of *known* which look like *name*; empty when none does.

    Example:
        >>> near_hint("flihgts", ["flights", "airports"])
        "Did you mean 'flights'?"
    """
    near = near_names(name, known)
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else ""
