"""How one request becomes one reply, whatever it is about: the part of the client that touches the network.

| module | question it answers |
|---|---|
| `transport` | what is sent again, and what came of it? (retries, waits, downloads, links) |
| `wire` | how does one attempt go? (auth, TLS, redirects, time-outs) |
| `streams` | how do bodies travel in constant memory, with progress? |
| `request` | what does a resource ask for? (data) |
| `retries` | what may be sent again, and when? (data) |
| `limits` | what is too large to be sent at all? (data) |
| `hosts` | where may a token be sent? (pure) |
| `links` | how does an address with a token in it look, and what is said about it? |
| `replies`, `reply_statistics` | what is in a reply? (pure) |
| `failures` | which error is this reply? (pure) |
| `answers` | what did the service answer, kept for `%tinybird why`? (pure) |
| `lost` | what became of a request without a reply? |
| `cancelling` | how is a running request ended from another thread? |
| `redaction` | how is a token kept out of every text? (pure) |

Nothing is imported here.
"""
