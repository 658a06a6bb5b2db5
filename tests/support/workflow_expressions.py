"""Expressions of GitHub Actions, as far as this repository's workflows use them."""

import json
import re
from collections.abc import Mapping
from typing import Any

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|[A-Za-z_][\w-]*|\|\||&&|==|!=|[!().,*])")


def evaluate(template: object, context: Mapping[str, Any]) -> Any:
    """A value of a workflow with its expressions replaced; one alone keeps its type."""
    if not isinstance(template, str):
        return template
    expressions = _EXPRESSION.findall(template)
    if [f"${{{{{each}}}}}" for each in expressions] == [template.strip()]:
        return _Expression(expressions[0], context).value()
    return _EXPRESSION.sub(lambda m: text_of(_Expression(m[1], context).value()), template)


def text_of(value: object) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)


class _Expression:
    """Recursive descent over ``||``, ``&&``, ``==`` and ``!=``, ``!``, values."""

    def __init__(self, text: str, context: Mapping[str, Any]) -> None:
        self._tokens = _TOKEN.findall(text)
        assert re.sub(r"\s", "", "".join(self._tokens)) == re.sub(r"\s", "", text), text
        self._context = context

    def value(self) -> Any:
        found = self._or()
        assert not self._tokens, self._tokens
        return found

    def _take(self, *wanted: str) -> str | None:
        return self._tokens.pop(0) if self._tokens and self._tokens[0] in wanted else None

    def _or(self) -> Any:
        left = self._and()
        while self._take("||"):
            right = self._and()
            left = left or right
        return left

    def _and(self) -> Any:
        left = self._equal()
        while self._take("&&"):
            right = self._equal()
            left = left and right
        return left

    def _equal(self) -> Any:
        left = self._not()
        while sign := self._take("==", "!="):
            left = (_folded(left) == _folded(self._not())) == (sign == "==")
        return left

    def _not(self) -> Any:
        return not self._not() if self._take("!") else self._single()

    def _single(self) -> Any:
        if self._take("("):
            found = self._or()
            assert self._take(")")
            return found
        token = self._tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._take("("):
            return self._call(token)
        found = self._context[token]
        while self._take("."):
            name = self._tokens.pop(0)
            if name == "*":
                assert self._take(".")
                key = self._tokens.pop(0)
                found = [each.get(key) for each in found or ()]
            else:
                found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def _call(self, name: str) -> Any:
        arguments = []
        while not self._take(")"):
            arguments.append(self._or())
            self._take(",")
        return self._context["functions"][name](*arguments)


def _folded(value: object) -> object:
    """GitHub compares texts without regard to case; what is absent is empty."""
    return text_of(value).casefold()
