"""Asking the person at the keyboard."""

from __future__ import annotations

from typing import Any

from tinymagic.notebook.problems import CellProblem


def can_ask(shell: Any) -> bool:
    """Say whether somebody sits before the notebook: nbclient and papermill run cells without."""
    return bool(getattr(getattr(shell, "kernel", None), "_allow_stdin", False))


def confirm(question: str, *, yes: bool, otherwise: str = "Nothing was deleted.") -> bool:
    """Ask before something is deleted or changed for good.

    Args:
        question: ends in a question mark.
        yes: whether the answer was given with ``--yes``.
        otherwise: what is said when the answer is no.

    Returns:
        Whether to go on; when not, that was said.

    Raises:
        CellProblem: nobody can be asked here.
    """
    if yes:
        return True
    try:
        answer = input(f"{question} [y/N] ")
    except (EOFError, OSError, NotImplementedError):
        # Run by nbclient, papermill or a script: IPython's own error for that is a NotImplementedError.
        raise CellProblem(f"{question} Nobody can be asked here: add --yes to go on.") from None
    if answer.strip().lower() in ("y", "yes"):
        return True
    print(otherwise)
    return False


def ask_secret(prompt: str, *, what: str, instead: str, exact: bool = False) -> str:
    """Ask for a secret, which is not shown.

    Args:
        prompt: what the person sees.
        what: is asked for, for the messages.
        instead: a sentence that names another way, for where nobody can be asked.
        exact: whether blanks around the answer belong to it.

    Returns:
        The answer, without blanks around it unless *exact*.

    Raises:
        CellProblem: nobody can be asked here, or the answer is empty.
    """
    from getpass import getpass

    try:
        answer = getpass(prompt)
    except (EOFError, OSError, NotImplementedError):
        raise CellProblem(f"Nobody can be asked for {what} here. {instead}") from None
    answer = answer if exact else answer.strip()
    if not answer:
        raise CellProblem(f"No answer was given for {what}; nothing has changed.")
    return answer
