"""Signed addresses, compared with those that Amazon's own library makes."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import parse_qsl, urlsplit

import pytest

from tinymagic.local.connectors.signing import Credentials, quoted, signed_url

MOMENT = datetime(2026, 11, 25, 7, 15, 32, tzinfo=timezone.utc)
CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1")

HOSTS = ["https://s3.eu-west-1.amazonaws.com", "http://127.0.0.1:9000", "http://[::1]:9000", "https://here/minio"]
KEYS = ["a.csv", "days/a b+c%20d&e=f#g?.csv", "ñ 日本 '\"();--~.csv", "days/../../x", "{a}[b]*$,:@.csv"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("parameters", [{}, {"list-type": "2", "prefix": "a b/ñ&", "continuation-token": "1+/=="}])
def test_as_amazons_library_signs(host, key, parameters, monkeypatch):
    auth = pytest.importorskip("botocore.auth")
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Theirs

    class Clock(datetime):
        @classmethod
        def utcnow(cls):
            return MOMENT.replace(tzinfo=None)

        @classmethod
        def now(cls, tz=None):
            return MOMENT

    for name in ("get_current_datetime",):
        if hasattr(auth, name):
            monkeypatch.setattr(auth, name, lambda *ignored, **also: MOMENT.replace(tzinfo=None))
    if hasattr(auth, "datetime") and hasattr(auth.datetime, "datetime"):
        monkeypatch.setattr(auth.datetime, "datetime", Clock)
    url = f"{host}/bucket/{quoted(key, safe='/')}"
    request = AWSRequest("GET", url, params=dict(parameters))
    theirs = Theirs(CREDENTIALS.key_id, CREDENTIALS.secret)
    auth.S3SigV4QueryAuth(theirs, "s3", CREDENTIALS.region, expires=3_600).add_auth(request)
    ours = signed_url(url, parameters, CREDENTIALS, MOMENT)
    assert urlsplit(ours).path == urlsplit(request.url).path
    assert sorted(parse_qsl(urlsplit(ours).query)) == sorted(parse_qsl(urlsplit(request.url).query))


def test_credentials_are_not_shown():
    assert repr(CREDENTIALS) == "Credentials(region='eu-west-1')"
