"""What a connector reads from a bucket: settings, patterns, signed addresses, lists of files. Pure: no network.

The files are fetched by `tinymagic.local.services.connectors`.
"""

#: The vendor's page about all of it, to which errors point.
CONNECTORS_PAGE = "/get-data-in/connectors/s3"
