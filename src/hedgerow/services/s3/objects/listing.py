"""What a listing shows: keys after a point, and with a delimiter the common beginnings of many keys as one entry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hedgerow.services.s3.objects.model import Object
from hedgerow.services.s3.objects.store import LAST

BATCH = 1000

Page = Callable[[str, int], Sequence[Object]]
"""Answers the objects after a key, at most so many, in order."""


@dataclass(slots=True)
class Listing:
    """One page. `last` is where the next one goes on, None at the end."""

    objects: list[Object] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str | None = None

    @property
    def count(self) -> int:
        return len(self.objects) + len(self.prefixes)


def listing(page: Page, *, prefix: str, delimiter: str, after: str, limit: int) -> Listing:
    """Answer up to `limit` entries after `after`, which is a key or a common prefix that was answered last."""
    answer = Listing()
    position = after
    if delimiter and after.endswith(delimiter) and len(after) > len(prefix):
        position = after + LAST  # a whole group was answered: go on behind it
    entry = after
    while True:
        wanted = BATCH if delimiter else limit - answer.count + 1
        batch = page(position, wanted)
        for found in batch:
            if found.key <= position:
                continue  # belongs to a group that has its entry
            if answer.count >= limit:
                answer.last = entry
                return answer
            group = _group(found.key, prefix, delimiter)
            if group is None:
                answer.objects.append(found)
                position = entry = found.key
            else:
                answer.prefixes.append(group)
                entry, position = group, group + LAST
        if len(batch) < wanted:
            return answer


def _group(key: str, prefix: str, delimiter: str) -> str | None:
    """Answer the common prefix that a key is shown under, None when it is shown itself."""
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if at < 0 else key[: at + len(delimiter)]
