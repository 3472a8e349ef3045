"""The template language of pipes and of the Query API: text and parameters in, SQL out (``templating.md``).

Reads no network, no file, no engine, and never compiles or executes Python: expressions are parsed with `ast`, checked
against an allow list and interpreted node by node, within a budget of time and memory. The parts, in the order in
which a text goes through them:

=====================  ================================================================
`rendering`            the order of the steps; `render`, `check`, `parameter_metadata`
`scanner`              text -> pieces: literal text, ``{{ }}``, ``{% %}``
`parser`, `nodes`      pieces -> a tree of nodes
`python`, `grammar`    Python in braces -> syntax trees; what is allowed in them
`metadata`             which parameters there are
`interpreter`          statements; writes the SQL
`evaluation`           expressions; with `operators`, `methods`, `builtin_functions`
`functions`            the language's functions; with `types`, `arrays`, `dates`
`values`, `escaping`   what values there are and how they are written
`budget`, `errors`     limits; what goes wrong
=====================  ================================================================
"""

from .errors import CustomErrorCalled, ErrorCalled, TemplateError
from .rendering import Rendered, check, is_template, parameter_metadata, render

__all__ = [
    "CustomErrorCalled",
    "ErrorCalled",
    "Rendered",
    "TemplateError",
    "check",
    "is_template",
    "parameter_metadata",
    "render",
]
