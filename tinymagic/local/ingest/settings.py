"""Settings of the engine for statements that store rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinymagic.local.limits import share_of_memory

if TYPE_CHECKING:
    from tinymagic.local.engine import Setting

#: A statement of ours has an expression or more for each of up to 500 columns: it outgrows the limits for users.
OWN_SQL_SETTINGS: dict[str, Setting] = {
    "max_query_size": 64_000_000,
    "max_ast_elements": 5_000_000,
    "max_expanded_ast_elements": 5_000_000,
    # A small file can hold values of gigabytes, by compression or a dictionary.
    "max_memory_usage": share_of_memory(1 / 3),
}

#: An INSERT SELECT writes one block: it is there as a whole or not at all, unless it touches several partitions.
ONE_BLOCK: dict[str, Setting] = {
    "min_insert_block_size_rows": 1_000_000_000,
    "min_insert_block_size_bytes": 2_000_000_000,
    "max_insert_threads": 1,
    "materialized_views_ignore_errors": 0,
}

#: The same for any number of partitions.
ANY_PARTITIONS: dict[str, Setting] = {**ONE_BLOCK, "max_partitions_per_insert_block": 0}

#: NULL for a column that is not Nullable means "no value": the engine fills in the default.
INSERT_SETTINGS: dict[str, Setting] = {"insert_null_as_default": 1, "max_partitions_per_insert_block": 0}
