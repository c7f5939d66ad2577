"""Who subscribed to what matches a topic. Plain filters only: a shared group is one subscriber here.

Spec: MQTT 5.0 section 4.7.
"""

# hot path

from typing import Generic, TypeVar

Subscriber = TypeVar("Subscriber")


class _Node(Generic[Subscriber]):
    __slots__ = ("below", "here")

    def __init__(self) -> None:
        self.below: dict[str, _Node[Subscriber]] = {}
        self.here: dict[Subscriber, int] = {}


class Trie(Generic[Subscriber]):
    """Filters with their subscribers. `version` changes whenever a match may have changed."""

    __slots__ = ("_parent_of_hash", "_root", "size", "version")

    def __init__(self, *, parent_of_hash: bool = True) -> None:
        self._root: _Node[Subscriber] = _Node()
        self._parent_of_hash = parent_of_hash
        self.size = 0
        self.version = 0

    def add(self, topic_filter: str, subscriber: Subscriber, options: int) -> None:
        """Add the subscriber, or change its options."""
        node = self._root
        for level in topic_filter.split("/"):
            below = node.below.get(level)
            if below is None:
                below = node.below[level] = _Node()
            node = below
        if subscriber not in node.here:
            self.size += 1
        node.here[subscriber] = options
        self.version += 1

    def remove(self, topic_filter: str, subscriber: Subscriber) -> bool:
        """Take the subscriber away, and the branches that nobody needs; False when it was not there."""
        path = [self._root]
        levels = topic_filter.split("/")
        for level in levels:
            node = path[-1].below.get(level)
            if node is None:
                return False
            path.append(node)
        if path[-1].here.pop(subscriber, None) is None:
            return False
        for at in range(len(levels), 0, -1):
            if path[at].here or path[at].below:
                break
            del path[at - 1].below[levels[at - 1]]
        self.size -= 1
        self.version += 1
        return True

    def match(self, topic: str) -> list[tuple[Subscriber, int]]:
        """Answer every (subscriber, options) whose filter matches; one that matches by two filters comes twice."""
        found: list[tuple[Subscriber, int]] = []
        nodes = [self._root]
        first = topic.startswith("$")  # leading wildcards do not match these [MQTT-4.7.2-1]
        for level in topic.split("/"):
            deeper = []
            for node in nodes:
                below = node.below
                if not first:
                    rest = below.get("#")
                    if rest is not None:
                        found.extend(rest.here.items())
                    one = below.get("+")
                    if one is not None:
                        deeper.append(one)
                same = below.get(level)
                if same is not None:
                    deeper.append(same)
            first = False
            nodes = deeper
            if not nodes:
                return found
        for node in nodes:
            found.extend(node.here.items())
            if self._parent_of_hash:
                rest = node.below.get("#")
                if rest is not None:
                    found.extend(rest.here.items())
        return found
