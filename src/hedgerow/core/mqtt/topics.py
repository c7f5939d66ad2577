"""Topic names and filters: which are valid, which match. Spec: MQTT 5.0 section 4.7 and 4.8.2."""

from typing import Final

from hedgerow.core.mqtt.limits import Limits

BASIC_INGEST: Final = "$aws/rules/"
COMMANDS: Final = "$aws/commands/"  # whose answers lie a level deeper than other topics may: `…/response/accepted/json`
SHARE: Final = "$share/"


def is_name(topic: str, limits: Limits) -> bool:
    """Tell whether a message may be published to this topic, as far as its form goes."""
    if not topic or "+" in topic or "#" in topic or "\0" in topic:
        return False
    return _fits(_without_rule(topic), limits)


def is_filter(text: str, limits: Limits) -> bool:
    """Tell whether this can be subscribed, as far as its form goes. A shared one is given whole."""
    shared = split_share(text)
    if shared is None:
        return False
    plain = shared[1]
    if not plain or "\0" in plain or not _fits(plain, limits):
        return False
    if "+" not in plain and "#" not in plain:
        return True
    levels = plain.split("/")
    if any(("+" in level or "#" in level) and len(level) > 1 for level in levels):
        return False
    return "#" not in levels[:-1]


def split_share(text: str) -> tuple[str, str] | None:
    """Answer (share name or "", filter); None when a shared filter has no valid share name."""
    if not text.startswith("$share/"):
        return "", text
    name, slash, plain = text[len(SHARE) :].partition("/")
    if not slash or not name or len(name) > 128 or "+" in name or "#" in name:
        return None
    return name, plain


def matches(topic_filter: str, topic: str, *, parent_of_hash: bool = True) -> bool:
    """Tell whether a plain filter matches a topic, level by level; what the trie must agree with."""
    if topic.startswith("$") and topic_filter[:1] in ("+", "#"):
        return False  # [MQTT-4.7.2-1]
    wanted, found = topic_filter.split("/"), topic.split("/")
    for at, level in enumerate(wanted):
        if level == "#":
            return parent_of_hash or len(found) > at
        if at >= len(found) or level not in ("+", found[at]):
            return False
    return len(wanted) == len(found)


def _without_rule(topic: str) -> str:
    if not topic.startswith(BASIC_INGEST):
        return topic
    return topic[len(BASIC_INGEST) :].partition("/")[2]


def _fits(topic: str, limits: Limits) -> bool:
    slashes = topic.count("/")
    if slashes > limits.slashes and (slashes > limits.slashes + 1 or not topic.startswith(COMMANDS)):
        return False
    return len(topic) * 4 <= limits.topic or len(topic.encode("utf-8", "surrogatepass")) <= limits.topic
