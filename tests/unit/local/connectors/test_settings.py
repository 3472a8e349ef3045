"""What a Data Source says about its connector."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from tinymagic.local.connectors.settings import check_settings, given_settings, read_files, schedule_of, service_of
from tinymagic.local.errors import BadRequest

GOOD = {"import_connection_name": "c", "import_bucket_uri": "s3://sales/days/*.csv"}


def test_names_of_the_api():
    given = {"connector": "c", "bucket_uri": "s3://b/x", "cron": "* * * * *", "import_format": "CSV", "name": "n"}
    assert given_settings(given) == {
        "import_connection_name": "c",
        "import_bucket_uri": "s3://b/x",
        "import_schedule": "* * * * *",
        "import_format": "CSV",
    }


def test_files():
    found = read_files({**GOOD, "import_format": "CSV", "import_from_timestamp": "2026-01-01 10:00:00+02:00"})
    assert (found.scheme, found.bucket, found.pattern.text, found.format) == ("s3", "sales", "days/*.csv", "csv")
    assert found.since == datetime(2026, 1, 1, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [("@auto", "* * * * *"), ("@on-demand", ""), ("", ""), ("*/5 * * * *", "*/5 * * * *"), ("@hourly", "@hourly")],
)
def test_schedules(schedule, cron):
    settings = {**GOOD, "import_schedule": schedule}
    check_settings(settings)
    assert schedule_of(settings) == cron


@pytest.mark.parametrize(
    ("settings", "service"),
    [(GOOD, "s3"), ({"import_bucket_uri": "gs://b/x"}, "gcs"), ({"kafka_topic": "t"}, "kafka"), ({}, "")],
)
def test_services(settings, service):
    assert service_of(settings) == service


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("import_connection_name", ""),
        ("import_bucket_uri", "http://sales/x"),
        ("import_bucket_uri", "s3://sales"),
        ("import_bucket_uri", "s3://sales/a\nb"),
        ("import_bucket_uri", "s3://sa..les/x"),
        ("import_bucket_uri", "s3://sales/" + "x" * 2_000),
        ("import_schedule", "@sometimes"),
        ("import_format", "xml"),
        ("import_from_timestamp", "soon"),
        ("import_strategy", "REPLACE"),
        ("import_service", "gcs"),
    ],
)
def test_what_cannot_be(name, value):
    with pytest.raises(BadRequest) as raised:
        check_settings({**GOOD, name: value})
    assert raised.value.message.startswith(f"{name}: ")


def test_what_names_a_variable_is_looked_at_later():
    check_settings({**GOOD, "import_bucket_uri": '{{ tb_secret("place") }}'})
