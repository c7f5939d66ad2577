"""Settings are frozen dataclasses, read once: what the caller gives, then `HEDGEROW_*`, then a TOML file.

Each part of the product declares its own slice; a composition root declares the tree. Unknown keys are errors.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hedgerow.base.errors import Unusable

T = TypeVar("T")

PREFIX = "HEDGEROW_"


def read_toml(path: Path) -> dict[str, Any]:
    """Answer the file's content, {} where there is no file; raise Unusable when it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Unusable(f"cannot read the settings file {path}: {error}") from error


def load(kind: type[T], *, given: Mapping[str, Any], environment: Mapping[str, str], file: Mapping[str, Any]) -> T:
    """Build the dataclass: a value that was given wins, then `HEDGEROW_<FIELD>`, then the file, then the default.

    Given values that are None count as not given. Raises Unusable for unknown keys and values of the wrong type.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # T is a dataclass
    unknown = sorted(set(file) - set(names))
    if unknown:
        raise Unusable(f"unknown setting {unknown[0]!r}; known are: {', '.join(names)}")
    values: dict[str, Any] = {}
    for name in names:
        variable = PREFIX + name.upper()
        if given.get(name) is not None:
            values[name] = given[name]
        elif variable in environment:
            values[name] = _parsed(hints[name], environment[variable], variable)
        elif name in file:
            values[name] = _converted(hints[name], file[name], name)
    return kind(**values)


def _plain(hint: Any) -> Any:
    """Answer the type without None: `int | None` is `int`."""
    if get_origin(hint) in (Union, UnionType):
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def _parsed(hint: Any, text: str, name: str) -> Any:
    plain = _plain(hint)
    if plain is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise Unusable(f"{name} must be true or false, not {text!r}")
    if get_origin(plain) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return plain(text)
    except ValueError as error:
        raise Unusable(f"{name} is not a {plain.__name__}: {text!r}") from error


def _converted(hint: Any, value: Any, name: str) -> Any:
    plain = _plain(hint)
    if get_origin(plain) is tuple and isinstance(value, list):
        return tuple(value)
    if plain is Path and isinstance(value, str):
        return Path(value)
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, get_origin(plain) or plain) or (isinstance(value, bool) and plain is not bool):
        raise Unusable(f"setting {name} must be a {plain.__name__}, not {value!r}")
    return value
