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
        self._values: dict[str, tuple[str, Any]] = {
            str(key).lower(): (str(key), v) for key, v in (values or {}).items()
        }

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
        if isinstance(value, Mapping | list):
            self._report.wrong.append(f"{self._name(name)} must be a text")
            return default
        return str(value).strip() or default

    def literal(self, name: str) -> str:
        """Answer a text that must stay as it was written: YAML makes another number of 0047, and of 12:30."""
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            self._report.wrong.append(f"{self._name(name)} must be in quotes")
        return value.strip() if isinstance(value, str) else ""

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            self._report.missing.append(self._name(name))
        return value

    def quoted(self, name: str) -> bool:
        """Tell whether the file has a text there, which YAML has not made a number or a date of."""
        return isinstance(self._take(name), str)

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
        value = self._take(name)
        if value is None:
            return default
        try:
            number = int(value)
        except (TypeError, ValueError):
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
                self._report.warnings.append(f"unknown key {self._name(name)}")
        for child in self._sections.values():
            child.warn_of_unread()

    def _take(self, name: str) -> Any:
        self._read.add(name.lower())
        return self._values.get(name.lower(), (name, None))[1]

    def _name(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name
