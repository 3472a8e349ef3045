"""Makes templates with parameters at random, the same for the same seed; most of them are sensible."""

from __future__ import annotations

import random
from typing import Any

TYPES = (
    "String Boolean Int8 Int16 Int32 Int64 Int128 Int256 UInt8 UInt16 UInt32 UInt64 UInt128 UInt256 Int Integer "
    "Float32 Float64 Date DateTime DateTime64"
).split()
ELEMENTS = "String Int32 UInt8 Float64 Date DateTime Boolean Foo Int128".split()
NAMES = ["a", "b", "c", "d", "page", "user_id"]
TEXTS = [
    "", "0", "1", "5", "-1", "+7", "127", "128", "255", "256", "-128", "65536", "2147483648", "9007199254740993", "1.5",
    "1e3", "nan", "inf", "abc", "a b", "it's", 'say "x"', "50%", "_x", "back\\slash", "tick`tick", "line\nline", "a,b",
    "a, b ,c", "1,2,3", "1, 2", "true", "FALSE", "no", "2020-01-01", "2020-13-45", "20200101", "2020-01-01 10:20:30",
    "2020-01-01T10:20:30Z", "2020-01-01 10:20:30.123", "01/02/2020 1:2:3", "json.a", "x;drop", "é", "日本", "{{x}}",
    "\\'", "00012", " 5", "5\n", "1" * 78, "1" * 79, "[1,2]", '{"k": 1}', '[{"k": "v"}]', "\t", "\x1a", "--", "/*",
]  # fmt: skip
LITERALS = ["'x'", "''", "5", "-5", "0", "1.5", "True", "False", "None", "'1,2'", "'2020-01-01'", '"it\'s"', "'50%'"]


class Generator:
    """One stream of templates.

    Args:
        seed: decides everything.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def case(self) -> tuple[str, dict[str, Any]]:
        """Return a template (without its ``%``) and parameters."""
        parts = [self._part(3) for _ in range(self._random.randint(1, 4))]
        given = {name: self._pick(TEXTS) for name in NAMES if self._random.random() < 0.6}
        return self._pick(["SELECT ", "", "SELECT 1\n"]) + "".join(parts), given

    def _pick(self, choices: list[Any] | tuple[Any, ...]) -> Any:
        return self._random.choice(choices)

    def _part(self, depth: int) -> str:
        kind = self._random.random()
        if kind < 0.5 or depth == 0:
            return "{{" + self._output(2) + "}}" + self._pick(["", " ", ",", "\n"])
        if kind < 0.6:
            return self._pick([" x ", " AND ", "\n", "{# note #}", "{{!", "a { b", "{% comment x %}"])
        if kind < 0.75:
            body, other = self._part(depth - 1), self._part(depth - 1)
            middle = self._pick(["", "{% else %}" + other, "{% elif " + self._condition(1) + " %}" + other])
            return "{% if " + self._condition(2) + " %}" + body + middle + "{% end %}"
        if kind < 0.85:
            target, iterable, shown = self._loop()
            return "{% for " + target + " in " + iterable + " %}{{" + shown + "}}" + self._part(depth - 1) + "{% end %}"
        if kind < 0.95:
            return "{% set v = " + self._statement_value(2) + " %}{{v}}"
        handler = self._pick(["Exception", "ValueError", "KeyError", "(TypeError, ValueError)"])
        return "{% try %}" + self._part(depth - 1) + "{% except " + handler + " %}E{% end %}"

    def _loop(self) -> tuple[str, str, str]:
        return self._pick(
            [
                ("i", f"split_to_array({self._name()}, 'x,y')", "i"),
                ("last, i", f"enumerate_with_last(split_to_array({self._name()}))", "last"),
                ("n, i", f"enumerate({self._name()})", "n"),
                ("i", f"range({self._random.randint(0, 4)})", "i"),
                ("i", f"JSON({self._name()}, '[1, 2]')", "i"),
                ("i", "['p', 'q']", "i"),
                ("i", self._name(), "i"),
                ("i", self._array(), "i"),
            ]
        )

    def _name(self) -> str:
        return str(self._pick(NAMES))

    def _typed(self) -> str:
        type_name = self._pick(TYPES)
        if type_name == "Boolean":
            return f"Boolean({self._name()}{self._pick(['', ', 1', ', 0', ', True'])})"
        extra = self._pick(["", "", "", ", defined=False", ", description='d'", ", required=True"])
        default = self._pick(["", "", f", {self._pick(LITERALS)}"])
        return f"{type_name}({self._name()}{default}{extra})"

    def _array(self) -> str:
        default = self._pick(["", ", '1,2'", ", 'a'", ", default='3'"])
        return f"Array({self._name()}, '{self._pick(ELEMENTS)}'{default})"

    def _helper(self) -> str:
        name = self._name()
        return str(
            self._pick(
                [
                    f"defined({name})",
                    f"column({name})",
                    f"column({name}, 'col')",
                    f"columns({name}, 'p,q')",
                    f"columns({name}, 'p,q', 'max')",
                    f"symbol({name})",
                    f"symbol({name}, '')",
                    f"table({name})",
                    f"split_to_array({name}, 'a,b')[0]",
                    f"sql_unescape(String({name}), '%')",
                    f"sql_and(x={self._output(0)}, y__gt={self._output(0)}, z__in={self._array()})",
                    f"day_diff(Date({name}, '2020-01-01'), '2020-02-01')",
                    f"date_diff_in_hours({name}, '2020-02-01 00:00:00', none_if_error=True)",
                    f"date_diff_in_days({name}, {self._name()}, '%Y-%m-%d', none_if_error=True)",
                    f"max_threads({name})",
                    f"cache_ttl({self._pick(['5s', '2s', '1h'])!r})",
                    f"backend_hint({name})",
                    f"activate({self._pick(['analyzer', 'x'])!r})",
                    f"tb_secret('known', {self._pick(LITERALS)})",
                    f"tb_secret({self._pick(['known', 'unknown'])!r})",
                    f"error({self._output(0)})",
                    f"JSON({name}, '{{\"k\": 3}}')['k']",
                    f"JSON({name}, '{{}}').get('k', 'none')",
                    f"len({name})",
                    f"int({name})",
                    f"float({name})",
                    f"max(Int32({name}, 3), 2)",
                ]
            )
        )

    def _output(self, depth: int) -> str:
        kind = self._random.random()
        if depth == 0 or kind < 0.45:
            return self._typed()
        if kind < 0.55:
            return self._array()
        if kind < 0.75:
            return self._helper()
        if kind < 0.8:
            return self._name()
        left, right = self._output(depth - 1), self._output(depth - 1)
        return str(
            self._pick(
                [
                    f"{left} + {right}",
                    f"{left} * 2",
                    f"-{left}",
                    f"not {left}",
                    f"{left} if defined({self._name()}) else {right}",
                    f"f'{{{self._name()}}}-{{{self._pick(LITERALS[2:6])}}}'",
                    f"{left}[0]",
                    f"String({self._name()}, 'p').replace('a', 'b')",
                    f"{self._name()}.split(',')[1]",
                    f"'x' + {left}",
                    f"{self._pick(LITERALS)}",
                    f"{left} - {right}",
                    f"{left} / {right}",
                    f"nothing({left})",
                ]
            )
        )

    def _condition(self, depth: int) -> str:
        name = self._name()
        simple = [
            f"defined({name})",
            f"not defined({name})",
            f"{name} == 'abc'",
            f"{name} is None",
            f"{name} in ['1', 'abc']",
            f"Int32({name}, 3) > 2",
            f"len(String({name}, 'abc')) == 3",
            f"{name}.startswith('a')",
            f"String({name}, '').upper() == 'ABC'",
            f"any(i == '1' for i in String({name}, '1'))",
            f"Boolean({name})",
            f"{name} > 3",
            f"Float64({name}, 1.5) <= 1.5",
        ]
        if depth == 0 or self._random.random() < 0.6:
            return str(self._pick(simple))
        return f"{self._condition(depth - 1)} {self._pick(['and', 'or'])} {self._condition(depth - 1)}"

    def _statement_value(self, depth: int) -> str:
        name = self._name()
        return str(
            self._pick(
                [
                    self._output(depth),
                    f"[i.strip() for i in String({name}, 'a, b').split(',')]",
                    f"sorted(String({name}, 'ba'))",
                    f"Int32({name}, 7) // 2",
                    f"Int32({name}, 7) % 4",
                    f"Int32({name}, 7) ** 2",
                    f"10 / Int32({name}, 4)",
                    f"{name} or 'default'",
                    f"'%s-%s' % ({name}, 1)",
                    f"{{'k': {name}}}",
                    f"str({self._typed()})",
                    "','.join([str(i) for i in range(3)])",
                    f"round(Float64({name}, 2.567), 1)",
                    f"max([1, Int32({name}, 3)])",
                    "list(map(str, [1, 2]))",
                    f"{name}[-1]",
                    "' x '.strip().title()",
                    f"sum([1, 2]) + len({name})",
                ]
            )
        )
