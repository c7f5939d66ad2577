"""A recipe's text: JSON or YAML into plain values, and values into canonical JSON.

YAML is read with JSON's types only, as authors of recipes mean it: `on`, `no` and dates are texts. Anchors, aliases,
tags and repeated keys are refused.
"""

import json
import re
from typing import Any, Final

import yaml

from hedgerow.core.recipe.errors import RecipeError

LARGEST: Final = 65_536  # bytes; AWS allows 16 KB
DEEPEST: Final = 64

_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def parse(text: str | bytes) -> Any:
    """Read JSON, or else YAML; raise RecipeError with the place of the mistake."""
    source = _decoded(text)
    if len(source) > LARGEST:
        raise RecipeError(f"the recipe is larger than {LARGEST} bytes")
    try:
        document = _from_json(source) if source.lstrip().startswith("{") else _from_yaml(source)
    except RecursionError as error:
        raise RecipeError("the recipe is nested too deeply") from error
    _check_depth(document, 0)
    return document


def canonical(document: Any) -> str:
    """Answer the document as JSON text: the author's order, no needless blanks."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError("the recipe is not UTF-8 text") from error


def _from_json(source: str) -> Any:
    try:
        return json.loads(source, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:  # a number of too many digits is no JSONDecodeError
        raise RecipeError(f"the recipe is no JSON: {error}") from error


def _check_depth(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise RecipeError(f"the recipe is nested more than {DEEPEST} deep")
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in below:
        _check_depth(item, depth + 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise RecipeError(f"the key {key!r} is there twice")
        result[key] = value
    return result


def _constant(word: str) -> Any:
    raise RecipeError(f"{word} is no JSON number")


def _from_yaml(source: str) -> Any:
    try:
        _check_events(source)
        node = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise RecipeError(f"the recipe is neither JSON nor YAML: {' '.join(str(error).split())}") from error
    return _value(node)


def _check_events(source: str) -> None:
    """Look through the YAML before it is built: deep nesting would take long, aliases could make much of little."""
    depth = 0
    for event in yaml.parse(source, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise RecipeError("the recipe uses a YAML alias (*name), which recipes cannot have")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise RecipeError(f"the recipe is nested more than {DEEPEST} deep")


def _value(node: yaml.Node | None) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _object([(_key(key), _value(value)) for key, value in node.value])
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    return None if node is None else _scalar(node)


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise RecipeError("a key in the recipe is not a text")
    return str(node.value)


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.style is not None:
        return text  # quoted, or a block
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text
