"""The YAML of a configuration: every key is there once, and a number that is meant as a text is what was written.

YAML reads 0047 as 39, 12:30 as 750, and takes the last of two keys without a word. Imported late: the edge must start
fast. Spec: YAML 1.2, section 3.2.1.3 (keys are unique).
"""

from collections.abc import Callable
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """The safe subset, read strictly."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                raise yaml.composer.ComposerError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.update([name] if name else [])
        return node


def _as_written(read: Callable[[Any, yaml.ScalarNode], Any]) -> Callable[[Any, yaml.ScalarNode], Any]:
    """Answer the value if it is shown as it was written, else the text."""

    def construct(loader: Any, node: yaml.ScalarNode) -> Any:
        value = read(loader, node)
        return value if str(value) == node.value else node.value

    return construct


_Loader.add_constructor("tag:yaml.org,2002:int", _as_written(yaml.SafeLoader.construct_yaml_int))
_Loader.add_constructor("tag:yaml.org,2002:float", _as_written(yaml.SafeLoader.construct_yaml_float))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


def load(text: str) -> Any:
    """Answer the value; raises yaml.YAMLError."""
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
