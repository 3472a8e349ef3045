"""The settings of a sink: what a request or datafile says, checked, under the names of the API (``sinks.md``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tinymagic.local.errors import BadRequest

from . import SINKS_PAGE
from .buckets import Bucket, parse_bucket_uri
from .file_template import FileTemplate, parse_file_template

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Names by which requests, datafiles and older versions call the same thing; the first is ours.
ALIASES: dict[str, tuple[str, ...]] = {
    "connection": ("connection", "connection_name", "export_connection_name", "export_connection"),
    "service": ("service", "export_service"),
    "path": ("path", "bucket_uri", "export_bucket_uri"),
    "file_template": ("file_template", "export_file_template"),
    "format": ("format", "export_format"),
    "compression": ("compression", "export_compression"),
    "schedule_cron": ("schedule_cron", "export_schedule"),
    "write_strategy": ("write_strategy", "export_write_strategy", "strategy", "export_strategy"),
    "kafka_topic": ("kafka_topic", "export_kafka_topic"),
    "region": ("region", "export_region"),
}

#: Settings in which Environment Variables may stand, as in datafiles.
FILLED = ("path", "file_template", "kafka_topic")

#: What a run may change for itself (``sinks.md``, trigger).
OVERRIDES = ("connection", "path", "file_template", "format", "compression", "write_strategy")

FORMATS = ("csv", "ndjson", "parquet")

_COMPRESSIONS = {"": "none", "none": "none", "gz": "gzip", "gzip": "gzip", "zst": "zstd", "zstd": "zstd", "br": "br"}
_COMPRESSIONS |= {"brotli": "br", "xz": "xz", "lz4": "lz4", "bz2": "bz2", "snappy": "snappy"}

#: Which compressions a file of a format may have.
_FITTING = {
    "csv": ("none", "gzip", "zstd", "br", "xz", "lz4", "bz2"),
    "ndjson": ("none", "gzip", "zstd", "br", "xz", "lz4", "bz2"),
    "parquet": ("none", "gzip", "zstd", "br", "lz4", "snappy"),
}

_STRATEGIES = {"": "new", "new": "new", "@new": "new", "create_new": "new"}
_STRATEGIES |= {"truncate": "truncate", "@truncate": "truncate", "replace": "truncate", "@replace": "truncate"}

_BLOB_ONLY = ("path", "file_template")

_MOST_TOPIC_CHARACTERS = 249


@dataclass(frozen=True)
class SinkSettings:
    """What a sink does.

    Attributes:
        path: ``s3://bucket/prefix`` or ``gs://bucket/prefix``; empty for Kafka, as are the next ones.
        file_template: name of the files.
        format: one of `FORMATS`.
        compression: ``none``, ``gzip``, ``snappy``, ``zstd``, ``br``, ``xz``, ``lz4`` or ``bz2``.
        write_strategy: ``new`` or ``truncate``.
        kafka_topic: for Kafka only.
    """

    path: str = ""
    file_template: str = ""
    format: str = "csv"
    compression: str = "none"
    write_strategy: str = "new"
    kafka_topic: str = ""

    @property
    def is_kafka(self) -> bool:
        """Whether it sends to a topic."""
        return bool(self.kafka_topic)

    @property
    def bucket(self) -> Bucket:
        """Where the files go."""
        return parse_bucket_uri(self.path)

    @property
    def template(self) -> FileTemplate:
        """The names of the files."""
        return parse_file_template(self.file_template)

    def as_output(self) -> dict[str, Any]:
        """Return what the catalogue keeps."""
        return asdict(self)

    @classmethod
    def of(cls, output: Mapping[str, Any]) -> SinkSettings:
        """Read what the catalogue keeps."""
        return cls(**{name: str(output[name]) for name in cls.__dataclass_fields__ if output.get(name)})


def given(fields: Mapping[str, Any], name: str) -> str | None:
    """Return what *fields* say under any name of one of `ALIASES`; ``None`` when nothing.

    Raises:
        BadRequest: it is no text.
    """
    for alias in ALIASES[name]:
        value = fields.get(alias)
        if value is None:
            continue
        if not isinstance(value, str):
            raise BadRequest(f"{alias} must be a text.", documentation=SINKS_PAGE)
        return value.strip()
    return None


def read_settings(fields: Mapping[str, Any], old: SinkSettings, *, kafka: bool) -> SinkSettings:
    """Return settings from *fields*; what they leave out is as in *old*.

    Args:
        fields: of a request or a datafile, under any of `ALIASES`.
        old: the present ones.
        kafka: whether the connection is one to Kafka.

    Raises:
        BadRequest: one is missing or cannot be used, or they do not fit together.
    """
    found = {name: value for name in asdict(old) if (value := given(fields, name)) is not None}
    settings = replace(old, **found)
    if kafka:
        return _kafka(settings, found)
    if found.get("kafka_topic"):
        raise BadRequest(
            "kafka_topic belongs to a Kafka connection; this one writes files. Give path and file_template.",
            documentation=SINKS_PAGE,
        )
    return _files(replace(settings, kafka_topic=""))


def _kafka(settings: SinkSettings, found: Mapping[str, str]) -> SinkSettings:
    if not settings.kafka_topic:
        raise BadRequest("The parameter 'kafka_topic' is missing: a Kafka sink needs it.", documentation=SINKS_PAGE)
    mixed = [name for name in _BLOB_ONLY if found.get(name)]
    if mixed:
        raise BadRequest(
            f"{' and '.join(mixed)} cannot be used with a Kafka connection. Give kafka_topic only.",
            documentation=SINKS_PAGE,
        )
    topic = settings.kafka_topic
    if len(topic) > _MOST_TOPIC_CHARACTERS or not all(each.isalnum() or each in "._-" for each in topic):
        raise BadRequest(
            f"{topic[:60]!r} is not the name of a topic: letters, digits, '.', '_' and '-' only.",
            documentation=SINKS_PAGE,
        )
    return SinkSettings(kafka_topic=topic)


def _files(settings: SinkSettings) -> SinkSettings:
    for name in _BLOB_ONLY:
        if not getattr(settings, name):
            raise BadRequest(f"The parameter {name!r} is missing.", documentation=SINKS_PAGE)
    chosen = settings.format.lower() or "csv"
    chosen = {"jsonl": "ndjson", "json": "ndjson", "csvwithnames": "csv", "jsoneachrow": "ndjson"}.get(chosen, chosen)
    if chosen not in FORMATS:
        raise BadRequest(
            f"format must be one of {', '.join(FORMATS)}, not {settings.format[:40]!r}.", documentation=SINKS_PAGE
        )
    compression = _COMPRESSIONS.get(settings.compression.lower())
    if compression not in _FITTING[chosen]:
        raise BadRequest(
            f"compression for {chosen} must be one of {', '.join(_FITTING[chosen])}, "
            f"not {settings.compression[:40]!r}.",
            documentation=SINKS_PAGE,
        )
    strategy = _STRATEGIES.get(settings.write_strategy.lower())
    if strategy is None:
        raise BadRequest(
            f"write_strategy must be 'new' or 'truncate', not {settings.write_strategy[:40]!r}.",
            documentation=SINKS_PAGE,
        )
    checked = replace(settings, format=chosen, compression=compression, write_strategy=strategy)
    _ = checked.bucket, checked.template  # Wrong ones raise.
    return checked
