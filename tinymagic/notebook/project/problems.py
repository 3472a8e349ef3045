"""What a service finds wrong in a project, at the file and line that a person has written. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tinymagic.datafiles import read_pipe
from tinymagic.datafiles.places import kind_of, name_of
from tinymagic.names import near_names
from tinymagic.notebook.problems import CellProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tinymagic.api.deployment_results import DeploymentProblem, DeploymentResult
    from tinymagic.notebook.project.folder import Project

#: Problems that are shown; the rest are counted. A card has eight lines.
_MOST = 4
_LONGEST = 160

#: In front of a sentence: the line, which is told before it.
_LINE_RE = re.compile(r"^\s*\[?[Ll]ine:? \d+\]?[:,]?\s*")
#: Names in a sentence: in quotes, or behind the word for what they name.
_NAMED_RE = re.compile(
    r"['`\"]([A-Za-z_]\w*)['`\"]|\b(?:resource|table|source|pipe|node)s? ([A-Za-z_]\w*)", re.IGNORECASE
)


def project_problem(project: Project, result: DeploymentResult, done: str) -> CellProblem:
    """Return the error that shows why a project was not taken.

    Args:
        project: that was sent.
        result: that has failed.
        done: what was not done, for instance ``deployed``.
    """
    problems = result.deployment.problems
    if not problems:
        return CellProblem(f"Nothing was {done}. {result.error or 'The service gave no reason.'}")
    lines = [f"Nothing was {done}: {_count(problems)} in {project.folder}."]
    shown = [_told(project, each) for each in problems[:_MOST]]
    lines += [text for text, _ in shown]
    if len(problems) > _MOST:
        lines.append(f"... and {len(problems) - _MOST} more.")
    elif len(problems) == 1 and shown[0][1]:
        lines.insert(2, shown[0][1])
    if any("allow_destructive" in each.sentence for each in problems):
        lines.append("To delete them with their rows: %tinybird deploy --allow-destructive, which asks first.")
    return CellProblem("\n".join(lines), suggestions=tuple(_near(project, problems)))


def _count(problems: Sequence[DeploymentProblem]) -> str:
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def _told(project: Project, problem: DeploymentProblem) -> tuple[str, str]:
    """Return a problem in one line, and the line of the file that it is about with its number, or ``""``."""
    sentence = " ".join(_LINE_RE.sub("", problem.sentence).split())
    sentence = sentence if len(sentence) <= _LONGEST else f"{sentence[: _LONGEST - 1]}…"
    file, number = problem.file, problem.line or 0
    sent = project.files.get(file)
    quoted = ""
    if sent is not None and 1 <= number <= len(sent.lines):
        quoted = f"{sent.lines[number - 1].number:>4} | {sent.lines[number - 1].text}"
        file, number = sent.origin(number)
    where = f"{file}:{number}" if file and number else file
    return (f"{where}: {sentence}" if where else sentence), quoted


def _near(project: Project, problems: Sequence[DeploymentProblem]) -> list[str]:
    """Return names of the project that the first unknown name of a sentence may have meant."""
    known = sorted(set(_names(project)))
    for problem in problems:
        own = name_of(problem.file)
        for match in _NAMED_RE.finditer(problem.sentence):
            name = match[1] or match[2]
            near = [] if name in known or name == own else near_names(name, [each for each in known if each != own])
            if near:
                return near
    return []


def _names(project: Project) -> Iterator[str]:
    for path, file in project.files.items():
        yield name_of(path)
        if kind_of(path) == "Pipe":
            yield from (node.name for node in read_pipe(file.text, name=name_of(path)).nodes)
