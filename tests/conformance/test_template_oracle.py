"""The template language against the vendor's own package, which is only called, as a black box.

The package (``tinybird``) has to be in another Python environment, whose interpreter ``TINYMAGIC_TEMPLATE_ORACLE``
names; without that variable everything here is skipped. Same SQL, same settings, same warnings, or same error text,
for the tables of the unit tests and for templates made at random.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tinymagic.local.template import TemplateError, check, parameter_metadata, render

VARIABLE = "TINYMAGIC_TEMPLATE_ORACLE"
ORACLE = os.environ.get(VARIABLE, "")
UNIT_TESTS = Path(__file__).parent.parent / "unit" / "local"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not ORACLE,
        reason=f"NOT COMPARED with the vendor's package: set {VARIABLE} to a Python interpreter that has `tinybird`",
    ),
]

#: Reads cases, one JSON object a line, and answers each with what the package does.
RUNNER = """
import json, logging, sys, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
from tinybird import sql_template
for line in sys.stdin:
    case = json.loads(line)
    try:
        if case["mode"] == "metadata":
            answer = ["ok", sql_template.get_var_names_and_types(sql_template.Template(case["template"]))]
        else:
            options = {"test_mode": True} if case["mode"] == "check" else {"secrets": ["tb_secret_known"]}
            sql, settings, notes = sql_template.render_sql_template(
                case["template"], variables=case["parameters"], **options
            )
            settings = {name: sorted(each) if isinstance(each, set) else each for name, each in settings.items()}
            answer = ["ok", [sql, settings, list(dict.fromkeys(notes))]]
    except Exception as error:
        answer = ["error", str(error)]
    print("ANSWER" + json.dumps(answer, default=repr), flush=True)
"""

#: Rows of the unit tests in which ours is another on purpose, and why.
ON_PURPOSE = {
    "{{columns('a', fn='s) from t --')}}": "what is no name of a function is refused",
    "{{symbol('a', x)}}": "a quote out of a parameter is refused",
    "{% set c = sql_and(**JSON(x)) %}{{c}}": "a name out of a parameter is refused",
    "{% try %}{{Int32(x)}}{% except ValueError as e %}{{e}}{% end %}": "the text of an error is quoted like any text",
    "{{JSON(page)}}": "in checking mode JSON is a placeholder, where the package refuses it",
    "{% for a in JSON(page) %}{{a['k']}}{{a.get('b')}},{% end %}": "the same",
    "{{Int32(5)}}": "refused where a pipe is saved, which the package does elsewhere",
}


def ask(cases):
    """Return the package's answers to *cases*."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    finished = subprocess.run([ORACLE, "-c", RUNNER], input=lines, capture_output=True, text=True, check=False)
    answers = [line for line in finished.stdout.splitlines() if line.startswith("ANSWER")]
    assert len(answers) == len(cases), f"the package did not answer; does {ORACLE} have it?"
    return [json.loads(answer.removeprefix("ANSWER")) for answer in answers]


def our_answer(case):
    """Answer one case as `RUNNER` does."""
    try:
        if case["mode"] == "metadata":
            return ["ok", parameter_metadata("%" + case["template"])]
        if case["mode"] == "check":
            rendered = check("%" + case["template"])
        else:
            rendered = render("%" + case["template"], case["parameters"], secrets="known".__eq__)
    except TemplateError as error:
        return ["error", str(error)]
    settings = {name: sorted(each) if isinstance(each, frozenset) else each for name, each in rendered.settings.items()}
    return ["ok", [rendered.sql, settings, list(rendered.warnings)]]


def comparable(answer, case):
    """Drop what depends on the version of Python, on the order of a set, or on the package's inside."""
    kind, content = answer
    if case["mode"] == "metadata" and kind == "ok":
        # The package takes a literal for the name of a parameter: day_diff(Date(a), '2020-01-01').
        return [kind, [entry for entry in content if str(entry["name"]).isidentifier() or entry["name"] == 5]]
    if kind == "ok":
        sql = re.sub(r"<tinybird\S+ object at 0x\w+>", "'__no_value__'", content[0])
        return [kind, [sql, *content[1:]]]
    if re.search(r" \(<(unknown|string)>[^)]*line \d+\)$", content):
        return [kind, "Python's parser"]
    content = content.removeprefix("Template Syntax Error: ") if case["mode"] == "metadata" else content
    content = content.replace("'Comment'", "'Expression'")
    content = re.sub(r"\{('\w+'(, )?)+\} block", lambda found: str(sorted(re.findall(r"\w+", found[0]))), content)
    # How a syntax tree is written depends on the version.
    return [kind, re.sub(r"(Invalid [\w ]+: \w+)\(.*", r"\1", content, flags=re.DOTALL)]


def is_on_purpose(case, theirs, ours):
    """Say whether ours is another for a known reason."""
    if case["template"] in ON_PURPOSE:
        return True
    if theirs[0] != "ok" or ours[0] != "ok" or case["mode"] == "metadata":
        return False
    # Lists, and aliases that are no words, are quoted as SQL; the package writes lists as Python, aliases as they are.
    unquoted = [re.sub(r"\\x1a|\\[nt]|[\"'`\\\n\t\x1a]", "", answer[1][0]) for answer in (theirs, ours)]
    return unquoted[0] == unquoted[1]


def differences(cases):
    """Return the cases in which the two answers differ, each with both, and how many of them are on purpose."""
    found, on_purpose = [], 0
    for case, theirs in zip(cases, ask(cases), strict=True):
        theirs, ours = comparable(theirs, case), comparable(our_answer(case), case)
        if ours == theirs:
            continue
        if is_on_purpose(case, theirs, ours):
            on_purpose += 1
        else:
            found.append((case["template"], case["parameters"], theirs, ours))
    return found, on_purpose


def module_of(path):
    """Import a module of the tests by its file: they are no package."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def table_cases():
    """Return the rows of the unit tests' tables as cases."""
    cases = []
    for name in ("values", "types", "functions", "statements", "grammar"):
        module = module_of(UNIT_TESTS / f"test_template_{name}.py")
        for table in vars(module).values():
            if isinstance(table, list) and table and isinstance(table[0], tuple) and len(table[0]) == 3:
                cases += [{"mode": "render", "template": row[0], "parameters": row[1]} for row in table]
    for row in module_of(UNIT_TESTS / "test_template_metadata.py").METADATA:
        cases.append({"mode": "metadata", "template": row[0], "parameters": {}})
    checking = module_of(UNIT_TESTS / "test_template_checking.py")
    for row in (*checking.CHECKED, *checking.CHECKED_REFUSED):
        # The package adds a line to many errors when a parameter is called "x", and to no others.
        template = re.sub(r"\bx\b", "page", row[0])
        cases.append({"mode": "check", "template": template, "parameters": {}})
    return cases


def random_cases(seed, count):
    """Return *count* templates made at random."""
    generator = module_of(Path(__file__).parent / "template_generator.py").Generator(seed)
    cases = []
    for number in range(count):
        template, parameters = generator.case()
        mode = ("render", "render", "render", "check", "metadata")[number % 5]
        cases.append({"mode": mode, "template": template, "parameters": parameters if mode == "render" else {}})
    return cases


def test_tables_agree():
    """The expected values of the unit tests are the package's."""
    cases = table_cases()
    found, on_purpose = differences(cases)
    assert len(cases) > 400
    assert on_purpose <= len(ON_PURPOSE) + 10
    assert not found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_templates_agree(seed):
    """A thousand templates at random give the same as with the package; few of them differ on purpose."""
    cases = random_cases(seed, 1000)
    found, on_purpose = differences(cases)
    assert on_purpose < len(cases) * 0.02
    assert not found
