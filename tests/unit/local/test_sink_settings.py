"""Settings of sinks: file templates, buckets, formats, and the names of files."""

from __future__ import annotations

import pytest

from tinymagic.local.errors import BadRequest
from tinymagic.local.sinks.buckets import checked_endpoint, object_url, parse_bucket_uri
from tinymagic.local.sinks.file_names import ending, numbered, with_ending
from tinymagic.local.sinks.file_template import Column, Literal, Split, parse_file_template
from tinymagic.local.sinks.settings import SinkSettings, read_settings

COLUMNS = [
    ("country", "LowCardinality(Nullable(String))"),
    ("day", "Date"),
    ("n", "Int32"),
    ("at", "Nullable(DateTime)"),
]
GOOD = {"path": "s3://bucket/out", "file_template": "a"}


class TestTemplates:
    def test_pieces(self):
        """Columns, formats and a number of files stand in braces."""
        template = parse_file_template("""x/{country}_{day, '%Y-%m'}_{at,"%H"}_{4}""")
        assert template.pieces == (
            Literal("x/"),
            Column("country"),
            Literal("_"),
            Column("day", "%Y-%m"),
            Literal("_"),
            Column("at", "%H"),
            Literal("_"),
            Split(4),
        )
        assert not template.is_plain
        assert parse_file_template("all").is_plain

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            "{",
            "a}",
            "{a b}",
            "{}",
            "{0}",
            "{1001}",
            "{a, %Y}",
            "{2}_{3}",
            "a*",
            "a?",
            "x\\y",
            "a\nb",
            "x" * 1_025,
        ],
    )
    def test_refused(self, text):
        """What cannot be the name of a file is refused with a sentence."""
        with pytest.raises(BadRequest, match="file_template: "):
            parse_file_template(text)

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("{nope}", "has no column 'nope'"),
            ("{n, '%Y'}", "only dates and times take a format"),
            ("{m}{n}", "has no column 'm'"),
        ],
    )
    def test_columns(self, text, match):
        """Columns must be there, and a format needs a date or a text."""
        with pytest.raises(BadRequest, match=match):
            parse_file_template(text).expression(COLUMNS)

    def test_n_without_column(self):
        """Who writes {n} is told how a number is written."""
        with pytest.raises(BadRequest, match=r"write it in digits, for instance \{4\}"):
            parse_file_template("a_{n}").expression([("a", "Int32")])

    def test_quoting(self):
        """Texts become SQL as literals only."""
        expression = parse_file_template("it's_{day, '%Y'}").expression(COLUMNS)
        assert "'it\\'s_'" in expression


class TestBuckets:
    def test_uri(self):
        """Slashes at the ends of the prefix do not count."""
        bucket = parse_bucket_uri("s3://bucket/a/b/")
        assert (bucket.name, bucket.prefix, bucket.key("x.csv")) == ("bucket", "a/b", "a/b/x.csv")
        assert parse_bucket_uri("s3://bucket").key("x.csv") == "x.csv"
        assert parse_bucket_uri("GS://bucket/").scheme == "gs"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "bucket",
            "http://bucket/a",
            "s3://",
            "s3://a/b",
            "s3://b_/x",
            "s3://b/../c",
            "s3://bucket/a/../b",
            "s3://bucket/*",
            "s3://bucket/{a}",
            "s3://b..k/a",
            "s3://bu@ck/a",
            "file:///etc/passwd",
        ],
    )
    def test_refused(self, text):
        """Anything else is none."""
        with pytest.raises(BadRequest, match="path"):
            parse_bucket_uri(text)

    def test_url(self):
        """Keys are escaped; without an endpoint the bucket is one of AWS."""
        bucket = parse_bucket_uri("s3://bucket/a b")
        key = bucket.key("\N{LATIN SMALL LETTER E WITH ACUTE}%+.csv")
        assert object_url("http://127.0.0.1:9", "", bucket, key) == "http://127.0.0.1:9/bucket/a%20b/%C3%A9%25%2B.csv"
        assert object_url("", "eu-west-1", bucket, "k") == "https://s3.eu-west-1.amazonaws.com/bucket/k"
        with pytest.raises(BadRequest, match="not a region"):
            object_url("", "evil.com/", bucket, "k")

    @pytest.mark.parametrize(
        "text", ["", "x", "ftp://h", "http://", "http://user:pw@h", "http://h/?a=1", "http://h#x", "http://h:99999"]
    )
    def test_endpoints(self, text):
        """An endpoint is a URL and nothing more; a password in it is not repeated."""
        with pytest.raises(BadRequest, match="s3_endpoint must be a URL") as refused:
            checked_endpoint(text)
        assert "pw" not in refused.value.message
        assert checked_endpoint("http://127.0.0.1:9000/") == "http://127.0.0.1:9000"


class TestSettings:
    def test_defaults(self):
        """CSV, not compressed, new files."""
        found = read_settings(GOOD, SinkSettings(), kafka=False)
        assert (found.format, found.compression, found.write_strategy) == ("csv", "none", "new")
        assert SinkSettings.of(found.as_output()) == found

    def test_datafile_names(self):
        """A datafile's names mean the same, as do the older words for the strategy."""
        fields = {
            "export_bucket_uri": "s3://bucket/out",
            "export_file_template": "a",
            "export_format": "NDJSON",
            "export_compression": "gz",
            "export_strategy": "replace",
        }
        found = read_settings(fields, SinkSettings(), kafka=False)
        assert (found.format, found.compression, found.write_strategy) == ("ndjson", "gzip", "truncate")
        assert read_settings({**GOOD, "strategy": "@new"}, found, kafka=False).write_strategy == "new"

    @pytest.mark.parametrize(
        ("fields", "match"),
        [
            ({"path": "s3://bucket"}, "'file_template' is missing"),
            ({"file_template": "a"}, "'path' is missing"),
            ({**GOOD, "format": "xml"}, "format must be one of csv, ndjson, parquet"),
            ({**GOOD, "compression": "snappy"}, "compression for csv"),
            ({**GOOD, "format": "parquet", "compression": "xz"}, "compression for parquet"),
            ({**GOOD, "write_strategy": "append"}, "write_strategy must be"),
            ({**GOOD, "kafka_topic": "t"}, "belongs to a Kafka connection"),
            ({**GOOD, "format": 1}, "format must be a text"),
        ],
    )
    def test_refused(self, fields, match):
        """What is missing or wrong is named."""
        with pytest.raises(BadRequest, match=match):
            read_settings(fields, SinkSettings(), kafka=False)

    def test_kafka(self):
        """A Kafka sink has a topic and nothing of files."""
        assert read_settings({"kafka_topic": "t.1"}, SinkSettings(), kafka=True).is_kafka
        for fields, match in (
            ({}, "kafka_topic"),
            ({"kafka_topic": "a b"}, "topic"),
            ({**GOOD, "kafka_topic": "t"}, "path"),
        ):
            with pytest.raises(BadRequest, match=match):
                read_settings(fields, SinkSettings(), kafka=True)


class TestNames:
    def test_endings(self):
        """Extension and compression are added unless they are there."""
        csv = SinkSettings(format="csv", compression="gzip")
        assert with_ending("a", csv) == with_ending("a.csv", csv) == with_ending("a.csv.gz", csv) == "a.csv.gz"
        assert with_ending("a.1", SinkSettings(format="ndjson")) == "a.1.ndjson"
        assert ending(SinkSettings(format="parquet", compression="snappy")) == ".parquet"

    def test_numbered(self):
        """Further files get a number before the first dot of their name."""
        assert [numbered("x.y/a.csv.gz", n) for n in (0, 1, 2)] == ["x.y/a.csv.gz", "x.y/a.1.csv.gz", "x.y/a.2.csv.gz"]
