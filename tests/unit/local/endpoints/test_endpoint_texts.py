"""The parameters of endpoints, and what is written about them: OpenAPI, addresses, the page."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re

import pytest

from tinymagic.local.endpoints.example import endpoint_url
from tinymagic.local.endpoints.extensions import FORMATS, content_type_of, format_of
from tinymagic.local.endpoints.openapi import Endpoint, document, parameter_object
from tinymagic.local.endpoints.page import HEADERS, endpoint_page
from tinymagic.local.endpoints.parameters import Parameter, as_text, endpoint_parameters
from tinymagic.local.errors import BadRequest

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); '",
    "</script>",
    "</style>",
    "&amp;",
]


class TestParameters:
    def test_one_entry_for_each_name(self):
        """A typed use counts more than a bare one; texts of several uses come together."""
        texts = [
            "%\nSELECT {{a}}, {{Int32(a, 3)}} {% if defined(b) %}, {{String(b, description='B')}}{% end %}",
            "%\nSELECT {{Int64(a, 9, description='A')}}, {{Date(c)}}, {{Array(d, 'Int32', required=False)}}",
        ]
        found = {each.name: each for each in endpoint_parameters(texts)}
        assert list(found) == ["a", "b", "c", "d"]
        assert (found["a"].type, found["a"].default, found["a"].description) == ("Int32", 3, "A")
        assert (found["b"].description, found["b"].required) == ("B", False)
        assert (found["c"].type, found["c"].required) == ("Date", True)
        assert (found["d"].type, found["d"].required) == ("Array(Int32)", False)

    def test_no_template_no_parameters(self):
        """Braces without ``%`` are no parameters, and a text that cannot be read has none."""
        assert endpoint_parameters(["SELECT {{a}}", "% SELECT {{", "% {% if %}"]) == []

    def test_names_of_the_api(self):
        """What the API fills in is nobody's to give."""
        assert endpoint_parameters(["% SELECT {{DateTime(job_timestamp)}}, {{String(token, '')}}"]) == []

    @pytest.mark.parametrize(("value", "text"), [(True, "true"), (1.5, "1.5"), ([1, "a"], "1,a"), ("x", "x")])
    def test_as_text(self, value, text):
        """As it stands in a URL."""
        assert as_text(value) == text


class TestExtensions:
    @pytest.mark.parametrize(("extension", "output_format"), [*FORMATS.items(), ("JSON", "JSON")])
    def test_format(self, extension, output_format):
        """Small or capital letters."""
        assert format_of(extension) == output_format

    def test_header(self):
        """Only ``.csv`` can do without."""
        assert format_of("csv", csv_header=False) == "CSV"
        assert format_of("csvwithnames", csv_header=False) == "CSVWithNames"
        assert content_type_of("csv").endswith("header=present")

    def test_unknown(self):
        """A sentence that lists what there is."""
        with pytest.raises(BadRequest, match=r"no extension '\.xml'; it can be called with \.json, \.csv"):
            format_of("xml")


class TestAddress:
    def test_values(self):
        """Examples before defaults; what is required and unknown is empty; the rest is left out."""
        parameters = [
            Parameter("a", default=1, example=2),
            Parameter("b", default="x y&z"),
            Parameter("c", required=True),
            Parameter("d"),
            Parameter("e", "Array(Int32)", default="1,2"),
        ]
        url = endpoint_url("http://h", "top", "csv", parameters, q="SELECT 1", token="p.t")
        assert url == "http://h/v0/pipes/top.csv?a=2&b=x%20y%26z&c=&e=1,2&q=SELECT%201&token=p.t"


class TestOpenApi:
    @pytest.mark.parametrize(
        ("parameter", "expected"),
        [
            (Parameter("a", "Int32", default="9007199254740993"), {"default": 9007199254740993}),
            (Parameter("a", "Float64", default="nan"), {"default": "nan"}),
            (Parameter("a", "Boolean", default=0), {"default": False}),
            (Parameter("a", "String", format="email"), {"format": "email"}),
            (Parameter("a", "Int32", default="x"), {"default": "x"}),
        ],
    )
    def test_schema(self, parameter, expected):
        """Defaults have the type of the parameter where they can; everything is JSON."""
        schema = parameter_object(parameter)["schema"]
        assert expected.items() <= schema.items()
        json.dumps(schema, allow_nan=False)

    def test_values_of_lists(self):
        """An enum of an array is about its members."""
        found = parameter_object(Parameter("a", "Array(String)", default="x,y", enum=("x", "y"), example="y"))
        assert found["schema"]["items"] == {"type": "string", "enum": ["x", "y"]}
        assert (found["schema"]["default"], found["example"]) == (["x", "y"], ["y"])

    def test_a_parameter_called_q(self):
        """It is there once."""
        found = document("t", "http://h", [Endpoint("p", parameters=[Parameter("q")])], version="1")
        assert [each["name"] for each in found["paths"]["/v0/pipes/p.json"]["get"]["parameters"]] == ["q"]

    def test_empty(self):
        """Without endpoints it is still a document."""
        found = document("t", "http://h", [], version="1")
        assert (found["paths"], found["openapi"]) == ({}, "3.0.3")


class _Texts(html.parser.HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self):
        super().__init__()
        self.tags = []
        self.scripts = []
        self.events = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "style")]

    def handle_data(self, data):
        if self.lasttag in ("script", "style"):
            self.scripts.append(data)
        else:
            self.text += data


class TestPage:
    @pytest.mark.parametrize("text", HOSTILE)
    def test_nothing_gets_out_of_its_text(self, text):
        """Whatever users write, the elements of the page stay the same and the text is there as it was."""

        def read(written):
            parameter = Parameter(
                written, written, default=written, description=written, enum=(written,), format=written
            )
            parser = _Texts()
            parser.feed(endpoint_page(Endpoint("top", written, [parameter], [(written, written)])))
            return parser

        harmless, found = read("harmless"), read(text)
        assert found.tags == harmless.tags
        assert found.scripts == harmless.scripts
        assert found.events == harmless.events == []
        assert found.text.count(text) == harmless.text.count("harmless") == 8

    def test_policy_names_what_is_there(self):
        """The digests are those of the script and the style in the page, to the letter."""
        page = endpoint_page(Endpoint("top"))
        for tag in ("script", "style"):
            (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in HEADERS["Content-Security-Policy"]

    def test_without_parameters(self):
        """It says so."""
        assert "takes no parameters" in endpoint_page(Endpoint("top"))
