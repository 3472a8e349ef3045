"""What goes wrong in a template, in the service's words."""

from __future__ import annotations

TEMPLATES_PAGE = "/cli/advanced-templates.html"
TYPES_PAGE = f"{TEMPLATES_PAGE}#transform-types-functions"


class TemplateError(Exception):
    """A template cannot be read or rendered; the caller of the API gets a 400.

    Attributes:
        message: the service's text.
        documentation: path of the page about it.
    """

    def __init__(self, message: str, *, documentation: str = TEMPLATES_PAGE) -> None:
        super().__init__(message)
        self.message = message
        self.documentation = documentation


def syntax_error(text: str, *, documentation: str = TEMPLATES_PAGE) -> TemplateError:
    """Make the error for *text* with the head that refusals carry."""
    return TemplateError(f"Template Syntax Error: {text}", documentation=documentation)


def parse_error(text: str, line: int) -> TemplateError:
    """Make the error for a text that is no template, which names the line."""
    return TemplateError(f"Template Syntax Error: {text} at query:{line}")
