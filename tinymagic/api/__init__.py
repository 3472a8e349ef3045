"""The HTTP client: the only folder that sends requests to Tinybird, hosted or embedded.

| module | question it answers |
|---|---|
| `workspace` | what can I do with this token? (`Workspace`, one attribute per resource) |
| `query`, `datasources`, `regions` | what does this resource of the API take and give? |
| `statement` | which text is sent for a query, and where in the user's text is an error? (pure) |
| `parameters` | how does a Python value travel as a request parameter? (pure) |
| `upload` | how does a file travel, in constant memory? |
| `transport` | how does one request become one reply? (auth, TLS, retries, time-outs, cancelling) |
| `hosts` | where may a token be sent? (pure) |
| `request` | what does a resource ask for? (data) |
| `lost` | what became of a request without a reply? |
| `retries` | what may be sent again, and when? (data) |
| `replies` | what is in a reply? (pure) |
| `cancelling` | how is a running request ended from another thread? |
| `failures` | which error is this reply? |
| `redaction` | how is a token kept out of every text? (pure) |
| `errors` | what can go wrong, as one tree |

Nothing is imported here, and neither pandas nor requests before they are needed.
"""
