# SPDX-License-Identifier: BSD-3-Clause
"""The grammar of selectors: text to a function of the header that gives true, false or None for unknown.

    condition  := term (OR term)*                 term := factor (AND factor)*         factor := [NOT] test
    test       := sum [ (= <> < <= > >=) sum | IS [NOT] NULL | [NOT] LIKE text [ESCAPE text]
                        | [NOT] IN (text, ...) | [NOT] BETWEEN sum AND sum ]
    sum        := product ((+ -) product)*        product := sign ((* /) sign)*        sign := [+ -] operand
    operand    := number | text | TRUE | FALSE | name | ( condition )
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from harness.events.errors import SelectorError

__all__ = ["Test", "parse"]

Test = Callable[[Mapping[str, Any]], Any]

MAX_DEPTH = 50
TOKENS = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d][\w$.]*)|(?P<sign><>|<=|>=|[=<>(),+*/-]))"
)
WORDS = {"AND", "OR", "NOT", "IS", "NULL", "LIKE", "ESCAPE", "IN", "BETWEEN", "TRUE", "FALSE"}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
EXAMPLE = "an example: RUNID = 'r12' AND LEVEL > 3"


class Token(NamedTuple):
    """`kind` is text, number, name, sign, word or end; keywords are in capitals."""

    kind: str
    value: Any
    column: int


def parse(text: str) -> Test:
    """The condition as a function. Raises `SelectorError` with the column of what is wrong."""
    parser = _Parser(text)
    condition = parser.condition()
    if parser.token.kind != "end":
        raise parser.wrong("the end, AND or OR")
    return condition


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    while text[at:].strip():
        match = TOKENS.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
            what = "a text without its closing quote" if text[column - 1] == "'" else text[column - 1]
            raise SelectorError(f"selector {text!r}: column {column}: unexpected {what}; {EXAMPLE}", column)
        kind, raw = str(match.lastgroup), match[str(match.lastgroup)]
        found.append(_token(kind, raw, match.start(kind) + 1))
        at = match.end()
    return [*found, Token("end", "the end", len(text) + 1)]


def _token(kind: str, raw: str, column: int) -> Token:
    if kind == "text":
        return Token(kind, raw[1:-1].replace("''", "'"), column)
    if kind == "number":
        # More digits than a double has are a double; so many would also take long to read as an integer.
        return Token(kind, int(raw) if raw.isdecimal() and len(raw) < 20 else float(raw), column)
    if kind == "name" and raw.upper() in WORDS:
        return Token("word", raw.upper(), column)
    return Token(kind, raw, column)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._next]

    def wrong(self, expected: str) -> SelectorError:
        token = self.token
        seen = token.value if token.kind == "end" else repr(token.value)
        return SelectorError(
            f"selector {self._text!r}: column {token.column}: expected {expected}, saw {seen}; {EXAMPLE}",
            token.column,
        )

    def _accept(self, kind: str, *values: str) -> Any:
        """The value of the next token if it is one of these, which is then used up; else `None`."""
        token = self.token
        if token.kind != kind or (values and token.value not in values):
            return None
        self._next += 1
        return token.value

    def _require(self, kind: str, *values: str) -> Any:
        value = self._accept(kind, *values)
        if value is None:
            raise self.wrong(" or ".join(values) if values else f"a {kind}")
        return value

    def condition(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SelectorError(f"a selector nests deeper than {MAX_DEPTH} levels", self.token.column)
        terms = [self._term()]
        while self._accept("word", "OR"):
            terms.append(self._term())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else lambda header: _decide(terms, header, True)

    def _term(self) -> Test:
        factors = [self._factor()]
        while self._accept("word", "AND"):
            factors.append(self._factor())
        return factors[0] if len(factors) == 1 else lambda header: _decide(factors, header, False)

    def _factor(self) -> Test:
        negated = False
        while self._accept("word", "NOT"):
            negated = not negated
        test = self._test()
        return _negated(test) if negated else test

    def _test(self) -> Test:
        left = self._sum()
        if sign := self._accept("sign", *COMPARISONS):
            right = self._sum()
            return lambda header: _compare(sign, left(header), right(header))
        if self._accept("word", "IS"):
            wanted = self._accept("word", "NOT") is None
            self._require("word", "NULL")
            return lambda header: (left(header) is None) is wanted
        negated = bool(self._accept("word", "NOT"))
        word = self._accept("word", "LIKE", "IN", "BETWEEN")
        if word is None:
            if negated:
                raise self.wrong("LIKE, IN or BETWEEN")
            return left
        test = {"LIKE": self._like, "IN": self._in, "BETWEEN": self._between}[word](left)
        return _negated(test) if negated else test

    def _like(self, left: Test) -> Test:
        pattern, escape = self._require("text"), ""
        if self._accept("word", "ESCAPE"):
            column = self.token.column
            escape = self._require("text")
            if len(escape) != 1:
                raise SelectorError(
                    f"selector {self._text!r}: column {column}: expected one character, saw {escape!r}",
                    column,
                )
        matches = _like(pattern, escape)

        def test(header: Mapping[str, Any]) -> bool | None:
            value = left(header)
            return matches(value) if isinstance(value, str) else None

        return test

    def _in(self, left: Test) -> Test:
        self._require("sign", "(")
        values = {self._require("text")}
        while self._accept("sign", ","):
            values.add(self._require("text"))
        self._require("sign", ")")

        def test(header: Mapping[str, Any]) -> bool | None:
            value = left(header)
            return None if value is None else value in values

        return test

    def _between(self, left: Test) -> Test:
        low = self._sum()
        self._require("word", "AND")
        high = self._sum()
        bounds: list[Test] = [
            lambda header: _compare(">=", left(header), low(header)),
            lambda header: _compare("<=", left(header), high(header)),
        ]
        return lambda header: _decide(bounds, header, False)

    def _sum(self) -> Test:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Test:
        return self._chain(self._signed, "*", "/")

    def _chain(self, part: Callable[[], Test], *signs: str) -> Test:
        result = part()
        while sign := self._accept("sign", *signs):
            result = _arithmetic(sign, result, part())
        return result

    def _signed(self) -> Test:
        negative = False
        while sign := self._accept("sign", "+", "-"):
            negative ^= sign == "-"
        value = self._operand()
        return _arithmetic("-", lambda header: 0, value) if negative else value

    def _operand(self) -> Test:
        token = self.token
        if self._accept("sign", "("):
            inner = self.condition()
            self._require("sign", ")")
            return inner
        if word := self._accept("word", "TRUE", "FALSE"):
            return lambda header: word == "TRUE"
        if token.kind not in ("text", "number", "name"):
            raise self.wrong("a property name, a number or a text in quotes")
        self._next += 1
        if token.kind == "name":
            return lambda header: header.get(token.value)
        return lambda header: token.value


def _decide(tests: list[Test], header: Mapping[str, Any], deciding: bool) -> bool | None:
    """OR (deciding is true) or AND (false) of three-valued tests; what is no condition is unknown."""
    unknown = False
    for test in tests:
        value = test(header)
        if value is deciding:
            return deciding
        unknown |= not isinstance(value, bool)
    return None if unknown else not deciding


def _negated(test: Test) -> Test:
    def negation(header: Mapping[str, Any]) -> bool | None:
        value = test(header)
        return not value if isinstance(value, bool) else None

    return negation


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _compare(sign: str, left: Any, right: Any) -> bool | None:
    if left is None or right is None:
        return None
    if _is_number(left) and _is_number(right):
        return COMPARISONS[sign](left, right)
    # Text and booleans are equal or not; unlike types are never equal, as with message brokers.
    if sign not in ("=", "<>") or type(left) is not type(right):
        return False
    return COMPARISONS[sign](left, right)


def _arithmetic(sign: str, left: Test, right: Test) -> Test:
    def value(header: Mapping[str, Any]) -> int | float | None:
        first, second = left(header), right(header)
        if not _is_number(first) or not _is_number(second):
            return None
        try:
            result = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[sign](
                first, second
            )
        except (ZeroDivisionError, OverflowError):
            return None
        return None if math.isnan(result) else result

    return value


def _like(pattern: str, escape: str) -> Callable[[str], bool]:
    """`%` is any text, `_` any character; what follows the escape character is itself.

    The parts between the `%` are looked for one after the other: one expression with all of them could take
    for ever on texts that almost match.
    """
    parts: list[list[str]] = [[]]
    literal = False
    for character in pattern:
        if literal or character not in ("%", "_", escape):
            parts[-1].append(re.escape(character))
            literal = False
        elif character == escape:
            literal = True
        elif character == "%":
            parts.append([])
        else:
            parts[-1].append(".")
    first, *others = [re.compile("".join(part), re.DOTALL) for part in parts]
    if not others:
        return lambda text: first.fullmatch(text) is not None
    *middle, last = others
    last_length = len(parts[-1])

    def matches(text: str) -> bool:
        found = first.match(text)
        for part in middle:
            found = found and part.search(text, found.end())
        return bool(
            found
            and len(text) - last_length >= found.end()
            and last.fullmatch(text, len(text) - last_length)
        )

    return matches
