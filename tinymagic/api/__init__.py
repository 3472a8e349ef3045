"""The HTTP client: the only folder that sends requests to Tinybird, hosted or embedded.

| module | question it answers |
|---|---|
| `workspace` | what can I do with this token? (`Workspace`, one attribute per resource) |
| `query`, `datasources`, `events`, `analyze`, `jobs` | what do these of the nine APIs take and give? |
| `pipes`, `sinks`, `tokens`, `variables` | and these? |
| `materializations`, `copies`, `connections`, `deployments` | what belongs to Pipes and projects? |
| `workspaces`, `branches`, `tags`, `regions` | and to Workspaces? |
| `..._results`, `datasource_changes`, `scopes` | what the service answered, as frozen values (pure) |
| `datasource_rows`, `datasource_connectors` | parts of Data Sources, which have many calls |
| `pipe_nodes`, `endpoints`, `sql_tools` | parts of Pipes and of queries |
| `datasource_files`, `pipe_datafiles`, `refusals` | what is deployed where a Workspace takes no other change? |
| `resource` | what do all resources share? |
| `reading` | how is a reply of any shape read without failing? (pure) |
| `ingest/`, `upload`, `replacing` | how do rows get in, each one accounted for? |
| `statement`, `described_frames`, `endpoint_frames` | which text is sent; how do rows become a frame? |
| `parameters` | how does a Python value travel as a request parameter? (pure) |
| `own_token`, `jwt`, `probing` | what does a token tell, how is one signed, who answers? |
| `http/` | how does one request become one reply, whatever it is about? |
| `polling` | how is a job waited for? |
| `errors` | what can go wrong, as one tree |
| `progress` | how far is it? |

Nothing is imported here, and neither pandas nor requests before they are needed.
"""
