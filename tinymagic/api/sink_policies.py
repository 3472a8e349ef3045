"""What has to be set up at AWS and Google before sinks can write there (``sinks.md``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tinymagic.api.reading import text
from tinymagic.api.resource import Resource, path

if TYPE_CHECKING:
    from collections.abc import Mapping

SinkPolicy: TypeAlias = Literal["trust-policy", "write-access-policy", "read-access-policy"]
SINK_POLICIES: tuple[str, ...] = ("trust-policy", "write-access-policy", "read-access-policy")


class SinkPolicies(Resource):
    """The part of `tinymagic.api.sinks.Sinks` about the rights that the service needs elsewhere."""

    def settings(self, service: str = "s3") -> Mapping[str, Any]:
        """Return who would take on a role at AWS: ``principal`` and ``external_id``.

        Raises:
            BadRequest: the service has none for *service*.
        """
        return self._get(path("/v0/integrations/", service, "/settings"))

    def policy(
        self,
        service: str,
        policy: SinkPolicy | str,
        *,
        bucket: str | None = None,
        external_id_seed: str | None = None,
        msk_cluster_arn: str | None = None,
        table_name: str | None = None,
    ) -> Mapping[str, Any]:
        """Return a policy document for AWS, ready to be pasted there.

        Args:
            service: ``s3``, ``kafka`` ...
            policy: ``trust-policy``, ``write-access-policy`` or ``read-access-policy``.
            bucket: that the policy is about.
            external_id_seed: for ``trust-policy``.
            msk_cluster_arn: for Kafka.
            table_name: for DynamoDB.

        Raises:
            NotFound: there is no such policy.
            BadRequest: not for *service*.
        """
        query = {
            "bucket": bucket,
            "external_id_seed": external_id_seed,
            "msk_cluster_arn": msk_cluster_arn,
            "table_name": table_name,
        }
        return self._get(path("/v0/integrations/", service, "/policies/", policy), query)

    def bigquery_credentials(self) -> str:
        """Return the account at Google that needs rights on a bucket of GCS.

        Raises:
            BadRequest: the service has none.
        """
        return text(self._get("/v0/datasources-bigquery-credentials").get("account"))
