"""What a Data Source says about the connector that fills it: the ``IMPORT_...`` lines of its datafile. Pure.

The settings are kept as a datafile has them (``import_bucket_uri``, ...), Environment Variables by their names; the API
calls some of them otherwise (``datasources.md`` section 3.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tinymagic.local.cron import CronError, read_cron
from tinymagic.local.errors import BadRequest
from tinymagic.local.files.file_formats import FORMATS
from tinymagic.local.template.secrets import secrets_used

from . import CONNECTORS_PAGE
from .patterns import KeyPattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tinymagic.local.records import DataSourceRecord

#: Key of a Data Source's settings under which its file's other settings are, such as ``import_bucket_uri``.
CONNECTOR = "connector"

#: Key under which it is whether the schedule rests.
PAUSED = "schedule_paused"

#: Names of the API for settings of the datafile.
ALIASES: dict[str, tuple[str, ...]] = {
    "import_service": ("import_service", "service"),
    "import_connection_name": (
        "import_connection_name",
        "kafka_connection_name",
        "connection_name",
        "connection",
        "connector",
    ),
    "import_bucket_uri": ("import_bucket_uri", "bucket_uri"),
    "import_schedule": ("import_schedule", "cron"),
    "import_format": ("import_format",),
    "import_from_timestamp": ("import_from_timestamp", "from_timestamp"),
    "import_strategy": ("import_strategy",),
}

#: Settings of a Data Source that Kafka fills; the API and the datafile call them the same.
KAFKA_SETTINGS = (
    "kafka_topic",
    "kafka_group_id",
    "kafka_auto_offset_reset",
    "kafka_store_raw_value",
    "kafka_target_partitions",
)

AUTO = "@auto"
ON_DEMAND = "@on-demand"

#: How often the connector looks by itself when the schedule is `AUTO`.
_AUTO_CRON = "* * * * *"

#: What the service of a bucket may be called, by how its address begins; the first when nothing is said.
SERVICES = {"s3": ("s3", "s3_iamrole"), "gs": ("gcs", "gcs_hmac", "gcs_service_account")}

_BUCKET_URI_RE = re.compile(r"(s3|gs)://([A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9])/(.+)", re.DOTALL)
_MOST_CHARACTERS = 1_024


@dataclass(frozen=True)
class BucketFiles:
    """The files that a connector reads.

    Attributes:
        scheme: ``s3`` or ``gs``.
        bucket: its name.
        pattern: of their keys.
        format: ``csv``, ``ndjson`` or ``parquet``; empty when each file's name or content says so.
        since: only those that were written then or later; ``None`` means all.
    """

    scheme: str
    bucket: str
    pattern: KeyPattern
    format: str = ""
    since: datetime | None = None

    def uri(self, key: str) -> str:
        """Return how people write the place of a key."""
        return f"{self.scheme}://{self.bucket}/{key}"


def connector_of(record: DataSourceRecord) -> Mapping[str, str]:
    """Return the settings of the connector that fills a Data Source from a bucket; none when there is no such one."""
    found: Mapping[str, str] = record.settings.get(CONNECTOR) or {}
    return found if found.get("import_bucket_uri") else {}


def is_kafka(record: DataSourceRecord) -> bool:
    """Say whether a Data Source is one that Kafka fills."""
    return "kafka_topic" in (record.settings.get(CONNECTOR) or {})


def service_of(settings: Mapping[str, str]) -> str:
    """Return the kind of connector: ``s3``, ``gcs``, ``kafka``, ...; empty when the settings are of none."""
    if "kafka_topic" in settings:
        return "kafka"
    return settings.get("import_service", "").lower() or _services(settings)[0]


def schedule_of(settings: Mapping[str, str]) -> str:
    """Return the schedule as cron; empty when there is none."""
    schedule = settings.get("import_schedule", "").strip()
    if schedule.lower() == AUTO:
        return _AUTO_CRON
    try:
        found = read_cron(schedule)
    except CronError:  # From an older version of this server.
        return ""
    return found.text if found else ""


def given_settings(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that fields of a request give, under the names of the datafile."""
    found = {}
    for name, aliases in ALIASES.items():
        value = next((str(fields[alias]).strip() for alias in aliases if fields.get(alias)), "")
        if value:
            found[name] = value
    found |= {name: str(fields[name]).strip() for name in KAFKA_SETTINGS if fields.get(name)}
    if "kafka_topic" in found and (connection := found.pop("import_connection_name", "")):
        found["kafka_connection_name"] = connection
    return found


def check_settings(settings: Mapping[str, str]) -> None:
    """Refuse settings that no run could use. Those with Environment Variables are looked at when a run begins.

    Raises:
        BadRequest: it begins with the name of the setting.
    """
    if "kafka_topic" in settings:
        if not settings.get("kafka_connection_name"):
            raise _refusal("kafka_connection_name: it is missing. Name the connection to Kafka.")
        return
    if not settings.get("import_connection_name"):
        raise _refusal("import_connection_name: it is missing. Name the connection to the bucket.")
    schedule = settings.get("import_schedule", "")
    if schedule.strip().lower() != AUTO:
        try:
            read_cron(schedule)
        except CronError as error:
            raise _refusal(f"import_schedule: {error}. It may also be {AUTO} or {ON_DEMAND}.") from error
    if settings.get("import_strategy", "append").lower() != "append":
        raise _refusal("import_strategy: only APPEND can be used for files of a bucket.")
    services = _services(settings)
    if any(services) and settings.get("import_service", services[0]).lower() not in services:
        raise _refusal(f"import_service: of such a bucket it is {' or '.join(services)}.")
    if not any(secrets_used(text) for text in settings.values()):
        read_files(settings)


def read_files(settings: Mapping[str, str]) -> BucketFiles:
    """Return the files that settings, with Environment Variables filled in, mean.

    Raises:
        BadRequest: it begins with the name of the setting.

    Example:
        >>> read_files({"import_bucket_uri": "s3://sales/days/*.csv"}).pattern.prefix
        'days/'
    """
    uri = settings.get("import_bucket_uri", "").strip()
    found = _BUCKET_URI_RE.fullmatch(uri)
    if not found or ".." in found[2] or len(uri) > _MOST_CHARACTERS or not uri.isprintable():
        raise _refusal(
            "import_bucket_uri: it is s3://<bucket>/<files> or gs://<bucket>/<files>, for instance "
            f"s3://sales/days/*.csv or s3://sales/**/*.ndjson.gz, not {uri[:80]!r}."
        )
    format_ = settings.get("import_format", "").strip().lower()
    if format_ and format_ not in FORMATS:
        raise _refusal(f"import_format: it is {', '.join(FORMATS)}, not {format_[:40]!r}.")
    since = settings.get("import_from_timestamp", "").strip()
    return BucketFiles(found[1], found[2], KeyPattern(found[3]), format_, _moment(since) if since else None)


def _services(settings: Mapping[str, str]) -> tuple[str, ...]:
    return SERVICES.get(settings.get("import_bucket_uri", "").partition("://")[0].strip().lower(), ("",))


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        raise _refusal(
            f"import_from_timestamp: it is a time in ISO 8601 such as 2026-01-31T12:00:00Z, not {text[:40]!r}."
        ) from None


def _refusal(message: str) -> BadRequest:
    return BadRequest(message, documentation=CONNECTORS_PAGE)
