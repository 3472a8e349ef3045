"""What a Sink Pipe writes and where: settings, file templates, names of files, buckets. Pure: no engine, no network."""
