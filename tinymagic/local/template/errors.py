"""What goes wrong in a template, in the service's words.

    TemplateError            anything; `str(error)` is the text that clients see
    ├── NotATemplate         the text cannot be read: braces, blocks, Python syntax
    ├── Refused              a part of Python that the language does not have
    ├── RequiredParameter    a typed parameter has neither a value nor a default
    ├── BudgetExceeded       the template asks for more time or memory than it may have
    ├── ErrorCalled          the template called ``error()``
    └── CustomErrorCalled    the template called ``custom_error()``; carries the body and the HTTP code

Python's own errors (``'>' not supported between ...``) reach the caller with their text, as the service does it:
`from_python` makes that translation. Everything is a 400 but what ``custom_error()`` says otherwise.
"""

# ruff: noqa: N818 - an error says what happened, as in the tree above

from __future__ import annotations

TEMPLATES_PAGE = "/cli/advanced-templates.html"
TYPES_PAGE = f"{TEMPLATES_PAGE}#transform-types-functions"

_HEAD = "Template Syntax Error: "
_NO_GET = "'str' object has no attribute 'get'"
_STRING_INDEX = (
    "String index out of range. Check that string parameters have values before accessing specific characters "
    "(e.g., param[0]). Provide default values or add length checks in your template."
)
_HINT = ". If you are using a dynamic parameter, you need to wrap it around a valid Data Type (e.g. Int8(placeholder))"


class TemplateError(ValueError):
    """A template cannot be read or rendered.

    Attributes:
        message: the whole text that clients see; also ``str(error)``.
        documentation: path of the vendor's page, or ``None`` when the service names none.
    """

    def __init__(self, message: str, documentation: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.documentation = documentation

    def __str__(self) -> str:
        return self.message


class NotATemplate(TemplateError):
    """The text cannot be read as a template."""


class Refused(TemplateError):
    """The template uses a part of Python that the language does not have."""

    def __init__(self, text: str) -> None:
        super().__init__(_HEAD + text)


class RequiredParameter(TemplateError):
    """A typed parameter has neither a value nor a default.

    Args:
        names: every parameter of the template that has no default.
    """

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        text = "Required parameter is not defined"
        if names:
            listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
            text += f". Check the parameters {listed}. "
            text += "Please provide a value or set a default value in the pipe code."
        super().__init__(_HEAD + text, TEMPLATES_PAGE)


class BudgetExceeded(TemplateError):
    """The template asks for more time or memory than it may have; ``{% except %}`` does not catch it."""

    def __init__(self, text: str) -> None:
        super().__init__(_HEAD + text)


class ErrorCalled(TemplateError):
    """The template called ``error(message)``."""


class CustomErrorCalled(TemplateError):
    """The template called ``custom_error(body, code)``.

    Attributes:
        body: what the reply carries: text, or anything JSON can hold.
        code: the HTTP status.
    """

    def __init__(self, body: object, code: int) -> None:
        super().__init__(str(body))
        self.body = body
        self.code = code


def syntax_error(text: str, documentation: str | None = TEMPLATES_PAGE) -> TemplateError:
    """Make the error for *text* with the head that most errors of templates carry."""
    return TemplateError(_HEAD + text, documentation)


def from_python(error: Exception) -> TemplateError:
    """Translate an error of Python, raised while a template ran, into the service's text."""
    if isinstance(error, TemplateError):
        return error
    text = str(error)
    if isinstance(error, (RecursionError, MemoryError)):
        return BudgetExceeded("the template is nested too deeply")
    if isinstance(error, AttributeError):
        hint = ". Make sure you're using an object/dictionary where trying to use .get()" if text == _NO_GET else ""
        return syntax_error(text + hint)
    if isinstance(error, KeyError):
        hint = "Ensure every object accessed in the template has this key."
        return syntax_error(f"Missing key {text} while rendering the template. {hint}")
    if isinstance(error, IndexError):
        return syntax_error(_STRING_INDEX if text == "string index out of range" else text)
    if isinstance(error, NameError):
        return syntax_error(text, None)
    if "missing 1 required positional argument" in text:
        return syntax_error("one of the transform type functions is missing an argument", TYPES_PAGE)
    if "object is not callable" in text or "unhashable type" in text:
        return syntax_error("wrong syntax, you might be using a not valid function inside a control block")
    # Newer versions of Python add a suggestion.
    return TemplateError(text.partition(". Did you mean")[0])


def while_checking(error: Exception) -> TemplateError:
    """As `from_python`, for checking mode: comparisons of parameters get a hint."""
    text = str(error)
    if "not supported between instances of 'Placeholder'" in text:
        return TemplateError(text + _HINT)
    return from_python(error)
