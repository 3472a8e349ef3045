"""The template language of pipes and of the Query API: a text with values in, SQL out.

Reads no network, no file, no engine; never compiles or executes Python: expressions are parsed with `ast` and
interpreted node by node from an allow list. Rules and texts: ``templating.md``. The parts, in the order a text goes
through them:

===============  =============================================================
`lexer`          text -> pieces: literal text, ``{{ }}``, ``{% %}``
`tree`           pieces -> nodes (literal, expression, if ... end); rendering
`expressions`    one expression: what is allowed, and its value
`functions`      ``String``, ``Int32``, ``Array``, ``column``, ``defined`` ...
`values`         how a value is written as SQL; escaping
===============  =============================================================
"""

from .errors import TemplateError
from .tree import Template

__all__ = ["Template", "TemplateError"]
