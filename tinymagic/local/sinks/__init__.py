"""What a Sink Pipe writes and where: settings, file templates, names of files, buckets. Pure: no engine, no network."""

#: The vendor's page about all of it, to which errors point.
SINKS_PAGE = "/api-reference/sink-pipes-api"
