"""Reading nested settings that others wrote: every key that was not read is known afterwards, and all faults at once.

Leaves to others: what the keys mean (`configuration.py`).
"""

from collections.abc import Mapping
from typing import Any


class Report:
    """What was found while reading: what is wrong, and what only deserves a warning."""

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.wrong: list[str] = []
        self.unknown: list[str] = []
        self.warnings: list[str] = []


class Section:
    """One mapping of the file. Keys are found whatever their case, as the nucleus does."""

    def __init__(self, values: object, path: str, report: Report) -> None:
        self._path = path
        self._report = report
        self._sections: dict[str, Section] = {}
        self._read: set[str] = set()
        if values is not None and not isinstance(values, Mapping):
            report.wrong.append(f"{path or 'the file'} must be a mapping")
            values = None
        self._values: dict[str, tuple[str, Any]] = {}
        for key, value in (values or {}).items():
            before = self._values.setdefault(str(key).lower(), (str(key), value))[0]
            if before != str(key):
                report.wrong.append(f"{self._name(before)} and {self._name(str(key))} are the same key")

    def __bool__(self) -> bool:
        return bool(self._values)

    def section(self, name: str) -> "Section":
        if name.lower() not in self._sections:
            self._sections[name.lower()] = Section(self._take(name), self._name(name), self._report)
        return self._sections[name.lower()]

    def text(self, name: str, default: str = "") -> str:
        value = self._take(name)
        if value is None:
            return default
        return self._text(self._name(name), value).strip() or default

    def texts(self, name: str) -> dict[str, str]:
        """Answer a part whole, of which every value must be a text; its keys are the user's own."""
        return {key: self._text(f"{self._name(name)}.{key}", value) for key, value in self.mapping(name).items()}

    def _text(self, name: str, value: object) -> str:
        """Answer what was written; yes, no and nothing at all are no texts in YAML."""
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
        quotes = value is None or isinstance(value, bool)
        self._report.wrong.append(f"{name} must be {'in quotes' if quotes else 'a text'}")
        return ""

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            self._report.missing.append(self._name(name))
        return value

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
        value = self._take(name)
        if value is None:
            return default
        try:
            number = int(value)
            if isinstance(value, bool) or (isinstance(value, float) and number != value):
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            self._report.wrong.append(f"{self._name(name)} must be a whole number, not {value!r}")
            return default
        if not least <= number <= most:
            self._report.wrong.append(f"{self._name(name)} must be between {least} and {most}, not {number}")
            return default
        return number

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._take(name)
        if value is None:
            return default
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        self._report.wrong.append(f"{self._name(name)} must be true or false, not {value!r}")
        return default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default)
        found = next((choice for choice in choices if choice.lower() == value.lower()), None)
        if found is None:
            self._report.wrong.append(f"{self._name(name)} must be one of {', '.join(choices)}, not {value!r}")
        return found or default

    def mapping(self, name: str) -> dict[str, Any]:
        """Answer a part whole; its keys are the user's own."""
        value = self._take(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._report.wrong.append(f"{self._name(name)} must be a mapping")
            return {}
        return {str(key): item for key, item in value.items()}

    def refuse(self, name: str, why: str) -> None:
        """An option that is known and cannot be honoured stops the start when it is set."""
        if self._take(name) not in (None, "", False, {}):
            self._report.wrong.append(f"{self._name(name)} is not supported: {why}")

    def without_effect(self, *names: str) -> None:
        """Options of the nucleus that have nothing to act on here: said, not hidden."""
        for name in names:
            if self._take(name) is not None:
                self._report.warnings.append(f"{self._name(name)} has no effect on this edge")

    def warn_of_unread(self) -> None:
        """Name every key of this section and those below it that nothing has read."""
        for lower, (name, _) in self._values.items():
            if lower not in self._read:
                self._report.unknown.append(self._name(name))
        for child in self._sections.values():
            child.warn_of_unread()

    def _take(self, name: str) -> Any:
        self._read.add(name.lower())
        return self._values.get(name.lower(), (name, None))[1]

    def _name(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name
