"""Connections over HTTP: kept, shown without secrets, changed and deleted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.integration.conftest import Api
from tinymagic import local

if TYPE_CHECKING:
    from pathlib import Path

S3 = {
    "service": "s3",
    "s3_access_key_id": "connection-key-id",
    "s3_secret_access_key": "connection-secret",
    "s3_region": "eu-west-1",
}
KAFKA = {
    "service": "kafka",
    "kafka_bootstrap_servers": "broker:9092",
    "kafka_sasl_plain_username": "kafka-user",
    "kafka_sasl_plain_password": "kafka-password",
    "kafka_schema_registry_url": "https://registry-user:registry-password@host",
}
SECRETS = ("connection-key-id", "connection-secret", "kafka-user", "kafka-password", "registry-password", "ya29")


def create(api: Api, name: str, **fields: str) -> dict[str, Any]:
    """Make a connection."""
    reply = api.post("/v0/connectors", params={"name": name, **fields})
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


def listed(api: Api) -> dict[str, dict[str, Any]]:
    """What the list says, by name."""
    return {each["name"]: each for each in api.get("/v0/connectors").json()["connectors"]}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("conn_s3", S3),
        ("conn_kafka", KAFKA),
        ("conn_role", {"service": "s3_iamrole", "s3_iamrole_arn": "arn:aws:iam::1:role/x", "s3_iamrole_region": "r"}),
        ("conn_s3_role", {"service": "s3", "s3_arn": "arn:aws:iam::1:role/x", "s3_region": "us-east-1"}),
        ("conn_gcs", {"service": "gcs_service_account", "gcs_service_account_credentials_json": '{"t": "ya29"}'}),
        (
            "conn_hmac",
            {"service": "gcs_hmac", "gcs_hmac_access_id": "connection-key-id", "gcs_hmac_secret": "kafka-user"},
        ),
        ("conn_other", {"service": "snowflake", "password": "kafka-password"}),
    ],
)
def test_life(api, name, fields):
    """Every kind is kept; no reply has anything that may be a secret."""
    made = create(api, name, **fields)
    assert (made["name"], made["service"], made["connected_datasources"], made["sinks"]) == (
        name,
        fields["service"],
        0,
        [],
    )
    shown = api.get(f"/v0/connectors/{made['id']}")
    every = api.get("/v0/connectors")
    assert shown.json() == made == listed(api)[name]
    assert not any(secret in text for secret in SECRETS for text in (str(made), shown.text, every.text))
    assert api.request("DELETE", f"/v0/connectors/{name}").json()["ok"] is True
    assert api.get(f"/v0/connectors/{name}").status_code == 404
    assert api.request("DELETE", f"/v0/connectors/{name}").status_code == 404


def test_json(api):
    """A JSON body may have the settings in an object of their own."""
    body = {"name": "conn_json", "service": "s3", "settings": {**S3, "s3_endpoint": "http://127.0.0.1:9/"}}
    made = api.post("/v0/connectors", json=body).json()
    assert made["settings"] == {"s3_region": "eu-west-1", "s3_endpoint": "http://127.0.0.1:9/"}
    assert "service" not in made["settings"]


def test_update(api):
    """New settings take the place of the old ones."""
    create(api, "conn_changed", **S3)
    reply = api.request("PUT", "/v0/connectors/conn_changed", data={**S3, "s3_region": "us-east-2"})
    assert reply.json()["settings"] == {"s3_region": "us-east-2"}
    assert api.request("PUT", "/v0/connectors/conn_nowhere", data=S3).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"service": "kafka", "kafka_bootstrap_servers": "b"}, 400, "not a valid name"),
        ({"name": "1x", **S3}, 400, "not a valid name"),
        ({"name": "conn_bad"}, 400, "'service' is missing"),
        ({"name": "conn_bad", "service": "s3"}, 400, "needs s3_access_key_id and s3_secret_access_key"),
        ({"name": "conn_bad", "service": "kafka"}, 400, "needs kafka_bootstrap_servers"),
        ({"name": "conn_bad", **S3, "s3_endpoint": "http://u:connection-secret@h"}, 400, "must be a URL"),
        ({"name": "conn_bad", **S3, "s3_endpoint": "file:///etc/passwd"}, 400, "must be a URL"),
        ({"name": "conn_bad", **S3, "bad name": "x"}, 400, "must be a text"),
        ({"name": "conn_bad", **S3, "s3_note": "x" * 70_000}, 400, "at most"),
    ],
)
def test_refused(api, fields, status, text):
    """Wrong parameters get a sentence without secrets, and nothing is made."""
    reply = api.post("/v0/connectors", data=fields)
    assert reply.status_code == status, reply.text
    assert text in reply.json()["error"]
    assert not any(secret in reply.text for secret in SECRETS)
    assert "conn_bad" not in listed(api)


def test_dry_run(api):
    """A connection can be checked without being made."""
    assert api.post("/v0/connectors", params={"name": "conn_dry", "dry_run": "true", **S3}).status_code == 200
    assert "conn_dry" not in listed(api)
    assert (
        api.post("/v0/connectors", params={"name": "conn_dry", "dry_run": "true", "service": "s3"}).status_code == 400
    )


def test_taken(api):
    """A name is there once."""
    create(api, "conn_taken", **S3)
    reply = api.post("/v0/connectors", params={"name": "conn_taken", **S3})
    assert reply.status_code == 409
    assert "already" in reply.json()["error"]


def test_administrators_only(api):
    """Others may list and not change."""
    token = api.post("/v0/tokens", params={"name": "conn_pipes", "scope": "PIPES:CREATE"}).json()["token"]
    create(api, "conn_guarded", **S3)
    assert "conn_guarded" in listed(Api(api.host, token))
    for method, path in (("POST", "/v0/connectors"), ("DELETE", "/v0/connectors/conn_guarded")):
        assert api.request(method, path, token=token, params={"name": "x", **S3}).status_code == 403


def test_integrations(api):
    """What a client shows before it makes an IAM role is plausible; what cannot be is said."""
    settings = api.get("/v0/integrations/s3/settings").json()
    assert set(settings) == {"principal", "external_id"}
    trust = api.get("/v0/integrations/s3/policies/trust-policy").json()
    assert trust["Statement"][0]["Principal"]["AWS"] == settings["principal"]
    for kind in ("write", "read"):
        policy = api.get(f"/v0/integrations/s3/policies/{kind}-access-policy", params={"bucket": "sales"}).json()
        assert "arn:aws:s3:::sales/*" in str(policy)
    assert api.get("/v0/integrations/kafka/policies/read-access-policy").status_code == 400
    assert api.get("/v0/integrations/s3/policies/other").status_code == 404
    assert api.get("/v0/datasources-bigquery-credentials").status_code == 400


def test_at_rest(tmp_path: Path) -> None:
    """The data folder has no secret in clear, and what is sealed is there after a restart."""
    folder = tmp_path / "data"
    server = local.start(path=folder, port=0, with_parent=True)
    try:
        tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
        api = Api(server.host, tokens["workspace_admin_token"])
        create(api, "kept", **S3)
        create(api, "kept_too", **KAFKA)
        with closing(sqlite3.connect(folder / "catalog.sqlite")) as catalog:
            [[body], _] = catalog.execute("SELECT body FROM connections").fetchall()
        assert "connection-secret" not in body
    finally:
        local.stop(port=server.port)
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(secret.encode() in content for secret in SECRETS), file
