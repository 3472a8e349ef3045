"""One chDB session in memory for the folder: a process can have one at a time."""

from __future__ import annotations

import pytest

# Statements, since a query's own SETTINGS would not reach the types of its literals. The first ones are what our
# client always sends, or the service's own; the rest let the tests make every type and value.
SETTINGS = (
    "session_timezone = 'UTC'",
    "output_format_json_quote_denormals = 1",
    "output_format_json_quote_64bit_integers = 0",
    "allow_suspicious_low_cardinality_types = 1",
    "allow_suspicious_types_in_group_by = 1",
    "enable_time_time64_type = 1",
    "allow_experimental_json_type = 1",
    "allow_experimental_variant_type = 1",
    "allow_experimental_dynamic_type = 1",
)


@pytest.fixture(scope="session")
def session():
    from chdb.session import Session

    session = Session()
    for setting in SETTINGS:
        try:
            session.query(f"SET {setting}")
        except RuntimeError:
            # An engine that does not know the setting; the types it is for are tested where they exist.
            continue
    yield session
    session.close()
