"""The keywords of datafiles, of both generations: Classic and Forward."""

from __future__ import annotations

import difflib
import re

#: Endings of the files and what each holds.
DATASOURCE, PIPE, CONNECTION = "datasource", "pipe", "connection"

#: Who wrote it, for the Classic generation; without a meaning for the server.
_CLASSIC = {"VERSION", "MAINTAINER", "SOURCE", "SOURCES", "CACHE", "PUBLISHED_VERSION"}
_COMMON = {"DESCRIPTION", "TOKEN", "TAGS", "INCLUDE", *_CLASSIC}

#: Old spellings of ``ENGINE_PARTITION_KEY`` and so on.
ENGINE_SHORT_NAMES = ("PARTITION_KEY", "SORTING_KEY", "PRIMARY_KEY", "SAMPLING_KEY", "TTL")
#: The three about joins come from files of 2020: read, and refused later by name when the engine is chosen.
_ENGINE = {
    "ENGINE",
    *ENGINE_SHORT_NAMES,
    *(
        f"ENGINE_{option}"
        for option in (
            "PARTITION_KEY SORTING_KEY PRIMARY_KEY SAMPLING_KEY TTL SETTINGS VER IS_DELETED COLUMNS SIGN VERSION FULL "
            "JOIN_STRICTNESS JOIN_TYPE KEY_COLUMNS"
        ).split()
    ),
}

_KAFKA = {
    f"KAFKA_{setting}"
    for setting in (
        "CONNECTION_NAME TOPIC GROUP_ID BOOTSTRAP_SERVERS KEY SECRET SECURITY_PROTOCOL SASL_MECHANISM "
        "AUTO_OFFSET_RESET STORE_RAW_VALUE STORE_HEADERS STORE_BINARY_HEADERS STORE_METADATA STORE_OFFSETS "
        "TARGET_PARTITIONS KEY_FORMAT VALUE_FORMAT KEY_AVRO_DESERIALIZATION SCHEMA_REGISTRY_URL SSL_CA_PEM "
        "SSL_KEY_PEM SSL_CERT_PEM SASL_OAUTHBEARER_METHOD SASL_OAUTHBEARER_AWS_REGION SASL_OAUTHBEARER_AWS_ROLE_ARN "
        "SASL_OAUTHBEARER_AWS_EXTERNAL_ID"
    ).split()
}
_IMPORT = {
    f"IMPORT_{setting}"
    for setting in (
        "SERVICE CONNECTION_NAME SCHEDULE STRATEGY EXTERNAL_DATASOURCE BUCKET_URI FROM_TIMESTAMP QUERY TABLE_ARN "
        "EXPORT_BUCKET FORMAT COMPRESSION"
    ).split()
}
_EXPORT = {
    f"EXPORT_{setting}"
    for setting in (
        "SERVICE CONNECTION_NAME SCHEDULE BUCKET_URI FILE_TEMPLATE FORMAT COMPRESSION WRITE_STRATEGY STRATEGY "
        "KAFKA_TOPIC"
    ).split()
}

KEYWORDS: dict[str, frozenset[str]] = {
    DATASOURCE: frozenset(
        {"SCHEMA", "INDEXES", "SHARED_WITH", "FORWARD_QUERY", "BACKFILL", *_COMMON, *_ENGINE, *_KAFKA, *_IMPORT}
    ),
    PIPE: frozenset(
        {"NODE", "SQL", "TYPE", "DATASOURCE", "TARGET_DATASOURCE", "TARGET_WORKSPACE", "SCHEDULE_CRON", "MODE"}
        | {"COPY_SCHEDULE", "COPY_MODE", "COPY_TIMESTAMP", "POPULATE", "ON_DEMAND", "BACKFILL", "DEPLOYMENT_METHOD"}
        | {"MATERIALIZED_DATASOURCE"}
        | _COMMON
        | _ENGINE
        | _EXPORT
    ),
    CONNECTION: frozenset(
        {"TYPE", "DESCRIPTION", "TAGS", "INCLUDE", *_CLASSIC, *_KAFKA}
        | {f"S3_{setting}" for setting in "REGION ARN ACCESS_KEY SECRET EXTERNAL_ID ENDPOINT".split()}
        | {f"GCS_{setting}" for setting in "SERVICE_ACCOUNT_CREDENTIALS_JSON HMAC_ACCESS_ID HMAC_SECRET".split()}
        | {f"DYNAMODB_{setting}" for setting in "ARN REGION".split()}
    ),
}
_ALL = frozenset().union(*KEYWORDS.values())

#: Their text goes over several lines also without ``>``.
LONG_TEXTS = frozenset({"SQL", "DESCRIPTION", "SCHEMA", "INDEXES", "FORWARD_QUERY", "SHARED_WITH", "IMPORT_QUERY"})

#: What `TYPE` of a node may say.
NODE_TYPES = ("standard", "endpoint", "materialized", "copy", "sink", "stream")

_FAMILY_RE = re.compile(r"(ENGINE|KAFKA|IMPORT|EXPORT|COPY|S3|GCS|DYNAMODB)_[A-Z0-9_]+")


def _without_one(word: str) -> set[str]:
    return {word[:index] + word[index + 1 :] for index in range(len(word))}


#: Words that become a keyword, or a keyword without one letter, when one letter is taken away. Of short keywords only
#: those with a letter too many: ``CODE`` and ``MODEL`` are names of columns and no wrong ``NODE`` and ``MODE``.
_NEARLY = {
    kind: frozenset().union(*(_without_one(keyword) for keyword in keywords if len(keyword) >= 6), keywords)
    for kind, keywords in KEYWORDS.items()
}


def explain_unknown(word: str, kind: str, *, hint: bool = True) -> str:
    """Return the sentence for a *word* that stands where a keyword of a *kind* of file was expected.

    Args:
        word: as written.
        kind: one of `KEYWORDS`.
        hint: whether to look for the nearest keyword, which takes its time.
    """
    upper = word.upper()
    if upper == "SETTINGS":
        return "SETTINGS option is not allowed, use ENGINE_SETTINGS instead."
    if upper in _ALL:
        return f"{upper} is not a valid option in {kind} files."
    near = difflib.get_close_matches(upper[:40], sorted(KEYWORDS[kind]), n=1, cutoff=0.6) if hint else []
    return f"{word[:60]} is not a valid option in {kind} files." + (f" Did you mean {near[0]}?" if near else "")


def looks_misspelled(word: str, kind: str) -> bool:
    """Tell whether a *word* in capitals at the start of a line was meant as a keyword."""
    if word in _ALL or _FAMILY_RE.fullmatch(word):
        return True
    nearly = _NEARLY[kind]
    return len(word) <= 40 and (word in nearly or not nearly.isdisjoint(_without_one(word)))
