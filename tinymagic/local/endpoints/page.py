"""The page of an endpoint that can be shared: what its parameters are, and a form to try it.

One HTML text without anything from elsewhere. Users' texts are escaped and never part of the script, which is always
the same: the content security policy names it, and the style, by their digests, so nothing else can run. The script
takes the token from the address of the page and sends it in a header; the server does not write it into the page.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from .extensions import FORMATS
from .parameters import as_text

if TYPE_CHECKING:
    from .openapi import Endpoint
    from .parameters import Parameter

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1e21; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
.about { white-space: pre-wrap; overflow-wrap: anywhere; color: #4b4f56; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #dddfe2; }
td { overflow-wrap: anywhere; }
code, pre, input, select { font: 13px/1.5 ui-monospace, monospace; }
input[type=text] { width: 100%; box-sizing: border-box; padding: .3rem; border: 1px solid #bec3c9; border-radius: 4px; }
.controls { display: flex; gap: .6rem; margin: 1rem 0; align-items: center; }
button { padding: .4rem 1rem; border: 0; border-radius: 4px; background: #0a6e4f; color: #fff; font: inherit; }
button:focus-visible, input:focus-visible, select:focus-visible { outline: 2px solid #1877f2; outline-offset: 1px; }
pre { background: #f5f6f7; border-radius: 4px; padding: .8rem; overflow: auto; max-height: 30rem; }
@media (prefers-color-scheme: dark) {
  body { background: #18191a; color: #e4e6eb; }
  .about { color: #b0b3b8; }
  th, td { border-color: #3e4042; }
  input, select { background: #242526; color: inherit; border-color: #5a5c5e; }
  pre { background: #242526; }
}
"""

_SCRIPT = """
'use strict';
const form = document.getElementById('call');
const address = document.getElementById('address');
const answer = document.getElementById('answer');
const status = document.getElementById('status');
const token = new URLSearchParams(location.search).get('token') || '';

function url() {
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll('input[data-parameter]')) {
    if (field.value !== '') query.append(field.dataset.parameter, field.value);
  }
  const text = query.toString();
  return form.dataset.path + '.' + form.elements.extension.value + (text ? '?' + text : '');
}

function show() { address.textContent = location.origin + url(); }

form.addEventListener('input', show);
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  show();
  status.textContent = 'Running';
  answer.textContent = '';
  const begin = performance.now();
  try {
    const reply = await fetch(url(), {headers: {Authorization: 'Bearer ' + token}});
    const time = Math.round(performance.now() - begin) + ' ms';
    const kind = reply.headers.get('Content-Type') || '';
    if (kind.startsWith('application/octet-stream')) {
      answer.textContent = (await reply.arrayBuffer()).byteLength + ' bytes';
    } else {
      const text = await reply.text();
      answer.textContent = text.length > 100000 ? text.slice(0, 100000) + '\\n...' : text;
    }
    status.textContent = reply.status + ', ' + time;
  } catch (error) {
    status.textContent = 'The server does not answer.';
  }
});
show();
"""


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


#: Headers of the reply that carries the page.
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_digest(_SCRIPT)}; style-src {_digest(_STYLE)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # The address has the token.
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def endpoint_page(endpoint: Endpoint) -> str:
    """Return the HTML of the page about *endpoint*; send it with `HEADERS`."""
    name = escape(endpoint.name)
    rows = "".join(map(_row, endpoint.parameters))
    table = (
        f"<table><thead><tr><th>Name</th><th>Type</th><th>About</th><th>Value</th></tr></thead><tbody>{rows}</tbody>"
        "</table>"
        if rows
        else "<p>This endpoint takes no parameters.</p>"
    )
    extensions = "".join(f'<option value="{each}">.{each}</option>' for each in FORMATS)
    about = f'<p class="about">{escape(endpoint.description)}</p>' if endpoint.description else ""
    columns = "".join(
        f"<tr><td><code>{escape(column)}</code></td><td><code>{escape(kind)}</code></td></tr>"
        for column, kind in endpoint.columns
    )
    result = (
        f"<h2>Columns</h2><table><thead><tr><th>Name</th><th>Type</th></tr></thead><tbody>{columns}</tbody></table>"
        if columns
        else ""
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{name}</h1>{about}"
        f'<form id="call" data-path="/v0/pipes/{name}" autocomplete="off"><h2>Parameters</h2>{table}'
        "<p><label>SQL over the result, which is the table <code>_</code>: "
        '<input type="text" data-parameter="q" placeholder="SELECT count() FROM _"></label></p>'
        f'<div class="controls"><label>Format <select name="extension">{extensions}</select></label>'
        '<button type="submit">Try it</button><span id="status" role="status"></span></div>'
        '</form><h2>Request</h2><pre id="address"></pre><h2>Reply</h2><pre id="answer"></pre>'
        f"{result}<script>{_SCRIPT}</script></body></html>"
    )


def _row(parameter: Parameter) -> str:
    name = escape(parameter.name)
    notes = [escape(parameter.description)] if parameter.description else []
    if parameter.required:
        notes.append("Required.")
    if parameter.default is not None:
        notes.append(f"Default: <code>{escape(as_text(parameter.default))}</code>")
    if parameter.enum:
        values = ", ".join(f"<code>{escape(as_text(each))}</code>" for each in parameter.enum)
        notes.append(f"One of {values}")
    hint = parameter.sample or ""
    return (
        f"<tr><td><code>{name}</code></td><td><code>{escape(parameter.type)}</code></td><td>{'<br>'.join(notes)}</td>"
        f'<td><input type="text" data-parameter="{name}" aria-label="{name}" placeholder="{escape(hint)}"></td></tr>'
    )
