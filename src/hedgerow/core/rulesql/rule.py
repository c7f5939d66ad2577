"""A statement ready to run, and the templates of its actions.

Under 2015-10-08, AWS's default when a caller names none, a payload's `10.0` stays apart from `10`; later versions make
it an Int. AWS refuses the newer syntax under 2015-10-08; here it works under every version.
"""

from dataclasses import dataclass
from typing import Final

from hedgerow.core.rulesql import syntax as tree
from hedgerow.core.rulesql.errors import SqlParseError
from hedgerow.core.rulesql.evaluate import Evaluate, compile_expression, compile_selection
from hedgerow.core.rulesql.functions import Scope
from hedgerow.core.rulesql.lexer import tokens_until_brace
from hedgerow.core.rulesql.message import Message
from hedgerow.core.rulesql.parser import Parser, parse
from hedgerow.core.rulesql.values import UNDEFINED, Undefined, Value, to_boolean, to_text, whole_to_int, write_json

VERSIONS: Final = frozenset({"2015-10-08", "2016-03-23", "beta"})
DEFAULT_VERSION: Final = "2015-10-08"


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled statement. `topic_filter` is None for a rule that only Basic Ingest reaches."""

    topic_filter: str | None
    version: str
    _variables: tuple[tuple[str, Evaluate], ...]
    _where: Evaluate | None
    _select: Evaluate
    _passes_through: bool

    def scope(self, message: Message) -> Scope:
        """Answer what this rule's expressions see of a message."""
        document = message.document()
        scope = Scope(message, document if self.version == DEFAULT_VERSION else _whole(document), {}, self.version)
        for name, evaluate in self._variables:
            scope.variables[name] = evaluate(scope)
        return scope

    def run(self, scope: Scope) -> bytes | None:
        """Answer the payload for the actions, or None when WHERE does not hold."""
        if self._where is not None and to_boolean(self._where(scope)) is not True:
            return None
        if self._passes_through and not isinstance(scope.document, dict):
            return scope.message.payload
        value = self._select(scope)
        return b"" if value is UNDEFINED else write_json(value).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Template:
    """Text with `${expression}` in it, evaluated against the original message."""

    _parts: tuple[str | Evaluate, ...]

    def text(self, scope: Scope) -> str | Undefined:
        """Answer the filled in text; Undefined when one of its expressions is Undefined or Null."""
        filled = []
        for part in self._parts:
            text = part if isinstance(part, str) else to_text(part(scope))
            if isinstance(text, Undefined):
                return UNDEFINED
            filled.append(text)
        return "".join(filled)


def compile_rule(sql: str, version: str = DEFAULT_VERSION) -> Rule:
    """Compile a statement; raise SqlParseError (or FunctionRefused) that says what is wrong."""
    if version not in VERSIONS:
        raise SqlParseError(f"awsIotSqlVersion {version!r} is unknown; use one of {', '.join(sorted(VERSIONS))}")
    statement = parse(sql)
    return Rule(
        topic_filter=None if statement.source is None else _checked_filter(statement.source),
        version=version,
        _variables=tuple((name, compile_expression(expression)) for name, expression in statement.variables),
        _where=None if statement.where is None else compile_expression(statement.where),
        _select=compile_selection(statement.selection),
        _passes_through=_is_everything(statement.selection),
    )


def compile_template(text: str) -> Template:
    """Compile a text with substitution templates."""
    parts: list[str | Evaluate] = []
    position = 0
    while (start := text.find("${", position)) >= 0:
        parts.append(text[position:start])
        found, position = tokens_until_brace(text, start + 2)
        parser = Parser(found)
        parts.append(compile_expression(parser.expression()))
        parser.expect_end()
    parts.append(text[position:])
    return Template(tuple(part for part in parts if part != ""))


def _is_everything(selection: tree.Selection) -> bool:
    if selection.is_value:
        return selection.value is None
    return selection.items == (tree.Item(None, ()),)


def _checked_filter(text: str) -> str:
    levels = text.split("/")
    misplaced = any(("#" in level or "+" in level) and len(level) > 1 for level in levels) or "#" in levels[:-1]
    if not text or misplaced:
        raise SqlParseError(f"FROM {text!r} is not a topic filter")
    if text.startswith(("$share/", "$aws/rules/")):
        raise SqlParseError(f"FROM {text!r} cannot be selected from")
    return text


def _whole(value: Value) -> Value:
    """Answer the payload with whole Decimals as Ints, as version 2016-03-23 processes them."""
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    return whole_to_int(value)
