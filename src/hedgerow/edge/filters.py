"""Whether an MQTT topic filter matches a topic. Spec: MQTT 5.0 section 4.7."""


def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether the filter matches; `$…` topics are not matched by a wildcard in the first level. [MQTT-4.7.2-1]"""
    if topic_filter == topic:
        return "+" not in topic_filter and "#" not in topic_filter
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(levels) or level not in ("+", levels[at]):
            return False
    return len(wanted) == len(levels)
