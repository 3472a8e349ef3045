"""Hostile templates: each ends in a `TemplateError`, soon, and with little memory.

They run in a process of their own under limits of the operating system, so that one which gets through fails its test
instead of the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="limits of a process exist on POSIX systems only")

#: Of the process, which holds the interpreter of Python too.
MEMORY_BYTES = 1 << 30
#: Of one template. The budget ends most in less than a second; slow machines get room.
SECONDS = 10

DOUBLE_LISTS = "{% set a = [1] %}{% set b = [1] %}" + "{% set a = [a, a] %}{% set b = [b, b] %}" * 60
TEN_TO_THE_THIRTY = "{% set a = ['x'] %}" + "{% set a = [a] * 10 %}" * 30

ATTACKS = {
    "growth": [
        "{{'a' * 10000000000}}",
        "{{[1] * 10000000000}}",
        "{{'a' * 100000 * 100000}}",
        "{% set a = (1,) * 100000000 %}",
        "{% set a = 'x' %}" + "{% set a = a + a %}" * 40,
        "{% set a = [1] %}" + "{% set a = a + a %}" * 40,
        "{% set a = 'a' %}{% while 1 %}{% set a += a %}{% end %}",
        "{% set a = ('a' * 100000).replace('a', 'b' * 100000) %}",
        "{% set a = ('a' * 100000).replace('', 'b' * 100000) %}",
        "{% set a = ('x' * 100000).join(['a'] * 100000) %}",
        "{% set a = ('x' * 100000).join('a' * 100000) %}",
        "{% set a = 'a'.ljust(1000000000) %}",
        "{% set a = 'a'.zfill(10000000000) %}",
        "{% set a = 'a'.center(1000000000) %}",
        "{% set a = ('\\t' * 1000).expandtabs(1000000) %}",
        "{% set a = [] %}{% while True %}{% set a.append('x' * 10000) %}{% end %}",
        "{% set a = [1] %}{% while 1 %}{% set a.extend(a) %}{% end %}",
        "{% set a = [1] %}{% while 1 %}{% set a[0:0] = a %}{% end %}",
        "{% set a = '%' * 4000000 %}{{a}}{{a}}{{a}}",
        "{% for i in range(100000) %}{{f'{1:>9999}'}}{% end %}",
        "{{split_to_array('a,' * 4000000)}}",
        "{{Array('a,' * 4000000)}}",
        "{% set a = list('a' * 10000000) %}",
        "{% set a = 'x' * 1000000 %}{% while 1 %}{% set b = f'{a}{a}{a}' %}{% end %}",
        "{{custom_error('a' * 1000000000)}}",
    ],
    "numbers": [
        "{% set a = 10 ** 1000000000 %}",
        "{% set a = 9 ** 9 ** 9 ** 9 %}",
        "{% set a = 1 << 10000000000 %}",
        "{% set a = 3 %}" + "{% set a = a * a %}" * 60 + "{{a}}",
        "{% set a = pow(10, 10 ** 9) %}",
        "{% set a = round(5, -1000000000) %}",
        "{% set a = 10 ** 600 %}{% while 1 %}{% set b = str(a) %}{% end %}",
        "{{" + "9" * 100000 + "}}",
        "{{int('" + "9" * 100000 + "')}}",
        "{% set a = 0x" + "f" * 100000 + " %}{{a * a}}",
        "{{Int32('" + "1" * 1000000 + "')}}",
    ],
    "formats": [
        "{{f'{1:>1000000000}'}}",
        "{{f'{1.0:.1000000000f}'}}",
        "{% set w = 1000000000 %}{{f'{1:{w}}'}}",
        "{% set a = '%1000000000d' % 1 %}",
        "{% set a = '%*d' % (1000000000, 1) %}",
        "{% set a = ('%9999d' * 10000) % tuple([1] * 10000) %}",
        "{% set a = '{0.__class__}'.format(1) %}",
        "{% set a = '{a}'.format_map({}) %}",
        "{% for i in range(100000) %}{% set a = f'{1:>9999}' %}{% end %}",
    ],
    "members of members": [
        TEN_TO_THE_THIRTY + "{{a}}",
        TEN_TO_THE_THIRTY + "{{f'{a}'}}",
        TEN_TO_THE_THIRTY + "{{String(a)}}",
        TEN_TO_THE_THIRTY + "{{sql_and(x=a)}}",
        TEN_TO_THE_THIRTY + "{% set b = str(a) %}",
        TEN_TO_THE_THIRTY + "{% set b = '%s' % (a,) %}",
        DOUBLE_LISTS + "{% if a == b %}{% end %}",
        DOUBLE_LISTS + "{% if a in [b] %}{% end %}",
        DOUBLE_LISTS + "{% set c = sorted([a, b]) %}",
        DOUBLE_LISTS + "{% set c = max(a, b) %}",
        DOUBLE_LISTS + "{% set c = [a].index(b) %}",
        "{% set a = (1,) %}" + "{% set a = (a, a) %}" * 60 + "{% set d = {a: 1} %}",
        "{% set a = [] %}{% set a.append(a) %}{{a}}",
        "{% set a = {} %}{% set a['a'] = a %}{% set b = str(a) %}",
        "{% set a = [] %}{% for i in range(50000) %}{% set a = [a] %}{% end %}{{a}}",
        "{% set a = () %}{% for i in range(50000) %}{% set a = (a,) %}{% end %}{% set d = {a} %}",
    ],
    "endless": [
        "{% while True %}{% end %}",
        "{% while True %}" + "a" * 100 + "{% end %}",
        "{% for i in range(10 ** 12) %}{% end %}",
        "{% for i in range(0, -10 ** 12, -1) %}{% end %}",
        "{% set a = range(10 ** 30) %}",
        "{% set a = sum(range(10 ** 9)) %}",
        "{% if 'a' in range(10 ** 12) %}{% end %}",
        "{% set a = [1 for a in range(1000) for b in range(1000) for c in range(1000)] %}",
        "{% set a, *b = range(10 ** 9) %}",
        "{% set a = max(*range(10 ** 9)) %}",
        "{% set f = lambda n: list(map(f, [n, n])) %}{% set a = list(map(f, [1])) %}",
        "{% set f = lambda n: list(map(f, [n] * 100)) %}{% set a = list(map(f, [1])) %}",
        "{% set a = list(range(100000)) %}{% while True %}{% set a.insert(0, 1) %}{% end %}",
        "{% set a = 'x' * 1000000 %}{% while 1 %}{% set b = a[1:] %}{% end %}",
        "{% set s = 'a' * 1000000 %}{% set r = s.rfind('b' + 'a' * 500000) %}",
        "{% set s = 'a' * 30000 %}{% while 1 %}{% set r = s.find('a' * 90 + 'b') %}{% end %}",
        "{% try %}{% while 1 %}{% end %}{% except %}caught{% end %}",
        "{% while 1 %}{% try %}{% set a = 'x' * 10 ** 10 %}{% except Exception %}{% end %}{% end %}",
        "{% try %}{% while 1 %}{% end %}{% finally %}{% while 1 %}{% end %}{% end %}",
    ],
    "deep": [
        "{{" + "(" * 100000 + "1" + ")" * 100000 + "}}",
        "{{" + "(" * 30 + "}}",
        "{% set a = " + "{" * 30 + " %}",
        "{{" + "[" * 90 + "]" * 90 + "}}",
        "{{" + "-" * 100000 + "1}}",
        "{{" + "not " * 50000 + "1}}",
        "{{" + "+".join(["1"] * 50000) + "}}",
        "{% if " + "<".join(["1"] * 50000) + " %}{% end %}",
        "{% set a = x" + ".a" * 50000 + " %}",
        "{{x" + "[0]" * 50000 + "}}",
        "{{" + "1 if 1 else " * 50000 + "1}}",
        "{% set a = " + "lambda: " * 50000 + "1 %}",
        "{{f'" + "{" * 50000 + "'}}",
        "{{f'{" + "+".join(["1"] * 50000) + "}'}}",
        "{% if 1 %}" * 100000 + "{% end %}" * 100000,
        "{{JSON('" + "[" * 5000 + "]" * 5000 + "')}}",
    ],
    "long": [
        "{{" * 100000,
        "{" * 1000000 + "{{",
        "{%" * 100000,
        "{#" * 100000,
        "{{!" * 200000 + "{{",
        "{% whitespace single %}" + " \t" * 500000 + "{{",
        "{{date_diff_in_days('" + "1" * 100000 + "', '2', '%Y')}}",
        "{{date_diff_in_days('2020', '2021', '" + "%Y" * 90 + "')}}",
    ],
    "way out": [
        "{{x.__class__.__mro__}}",
        "{% set a = ''.__class__.__mro__[1].__subclasses__() %}",
        "{{x.__getattribute__('a')}}",
        "{% set a = getattr(x, '__class__') %}",
        "{{__import__('os').system('id')}}",
        "{{__builtins__}}",
        "{% import os %}",
        "{% set a = eval('1') %}",
        "{% set a = exec('1') %}",
        "{% set a = compile('1', '', 'eval') %}",
        "{% set a = open('/etc/passwd').read() %}",
        "{% set a = [*open('/etc/passwd')] %}",
        "{% set a = globals() %}",
        "{% set a = type('X', (), {}) %}",
        "{% set a = (i for i in [1]).gi_frame %}",
        "{% set a = x.f_globals %}",
        "{% set a = str.mro() %}",
        "{% set a = str.join %}",
        "{% set f = lambda: 1 %}{% set a = f.__code__ %}",
        "{% set f = lambda: 1 %}{% set a = f.body %}",
        "{% set f = lambda a=open('x'): 1 %}",
        "{% set a = x.upper %}{% set b = a.receiver %}",
        "{% try %}{{Int32('a')}}{% except Exception as e %}{% set a = e.args %}{% end %}",
        "{% try %}{{Int32('a')}}{% except Exception as e %}{% set a = e.__traceback__ %}{% end %}",
        "{{String.convert}}",
        "{% set a = tb_secret('k', 1).real %}{% set b = column('a')._sql %}",
        "{% set a = 'a'.encode('idna') %}",
        "{% set a = (__x__ := 1) %}",
        "{% set a = [i async for i in x] %}",
        "{% if await x %}{% end %}",
        "{% set a = (yield) %}",
        "{% if 1: pass\nimport os\nif 1 %}{% end %}",
        "{% for a in [1]: open('x')\nfor b in [1] %}{% end %}",
        "{% set a = 1\nimport os %}",
    ],
}
ALL = [template for group in ATTACKS.values() for template in group]

RUNNER = """
import json, resource, sys, time
from tinymagic.local.template import TemplateError, render

limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for line in sys.stdin:
    started = time.perf_counter()
    try:
        outcome = "rendered " + render("%" + json.loads(line), {"x": "a"}).sql[:100]
    except TemplateError as error:
        outcome = "refused"
    except BaseException as error:
        outcome = type(error).__name__
    print(json.dumps([outcome, time.perf_counter() - started]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes():
    """Run all attacks in one process; what is missing at the end brought it down."""
    finished = subprocess.run(
        [sys.executable, "-c", RUNNER, str(MEMORY_BYTES)],
        input="".join(json.dumps(template) + "\n" for template in ALL),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    return dict(zip(ALL, lines, strict=False))


NAMED = [pytest.param(text, id=f"{group}-{text[:60]}") for group, texts in ATTACKS.items() for text in texts]


@pytest.mark.slow
@pytest.mark.parametrize("template", NAMED)
def test_attack_is_refused(outcomes, template):
    """Neither the process nor its limits are touched, and nothing is rendered."""
    assert template in outcomes, "the process ended before this template, or with it"
    outcome, seconds = outcomes[template]
    assert outcome == "refused"
    assert seconds < SECONDS
