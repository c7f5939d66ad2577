"""Which topics match a filter: the trie of `trie`, the other way round. For retained messages.

Spec: MQTT 5.0 section 4.7.
"""

from collections.abc import Iterator
from typing import Final

_REST: Final = -1  # everything below


class _Level:
    __slots__ = ("below", "topic")

    def __init__(self) -> None:
        self.below: dict[str, _Level] = {}
        self.topic: str | None = None  # that ends here


class Names:
    """A set of topics."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _Level()

    def add(self, topic: str) -> None:
        """Add a topic, if it is not there."""
        level = self._root
        for name in topic.split("/"):
            below = level.below.get(name)
            if below is None:
                below = level.below[name] = _Level()
            level = below
        level.topic = topic

    def discard(self, topic: str) -> None:
        """Take a topic away, if it is there, and the branches that nobody needs."""
        names = topic.split("/")
        path = [self._root]
        for name in names:
            below = path[-1].below.get(name)
            if below is None:
                return
            path.append(below)
        path[-1].topic = None
        for at in range(len(names), 0, -1):
            if path[at].topic is not None or path[at].below:
                break
            del path[at - 1].below[names[at - 1]]

    def matching(self, topic_filter: str, *, parent_of_hash: bool = True) -> Iterator[str | None]:
        """Answer the topics that a plain filter matches, one by one; None is a step that found none.

        So whoever asks can rest between steps, each of which takes about the same time. What is added or taken away
        meanwhile is answered or not.
        """
        wanted = topic_filter.split("/")
        under_way = [iter([(self._root, 0)])]
        while under_way:
            level, at = next(under_way[-1], (None, 0))
            if level is None:
                under_way.pop()
            elif at in (_REST, len(wanted)):
                yield level.topic
                if at == _REST:
                    under_way.append(self._below(level, at))
            elif wanted[at] == "#":
                yield level.topic if parent_of_hash else None
                under_way.append(self._below(level, _REST))
            elif wanted[at] == "+":
                yield None
                under_way.append(self._below(level, at + 1))
            elif wanted[at] in level.below:
                under_way.append(iter([(level.below[wanted[at]], at + 1)]))

    def _below(self, level: _Level, at: int) -> Iterator[tuple[_Level, int]]:
        first = level is self._root  # leading wildcards do not match topics with $ [MQTT-4.7.2-1]
        for name, below in list(level.below.items()):
            if not (first and name.startswith("$")):
                yield below, at
