"""Rows of any kind on their way into a Data Source, each one accounted for.

| module | question it answers |
|---|---|
| `plan` | which way do these rows take? (Events, multipart, an import job; how they are cut) |
| `pieces` | what travels in one request, and what is left when the work stops? |
| `rows`, `tables`, `files`, `parquet_file` | sources: rows and generators, DataFrames, files of lines, Parquet files |
| `carriers` | how does one piece travel, and what did the service say about its rows? |
| `watch` | what did the service say, and was a request under way? |
| `fates` | an error: were the rows stored, were they not, or is that not known? |
| `run` | all pieces, one after the other, until an error, an interrupt or the end |
| `stream` | rows that come slowly, sent by a thread of its own |
| `reasons` | why are rows in the quarantine? |
| `resume` | how is sent again what was not stored, and nothing else? |
| `report`, `sentence` | what became of every row |
| `methods`, `fields` | the methods of `workspace.datasources`, and what they send besides rows |
"""
