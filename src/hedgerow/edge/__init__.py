"""The runtime on a device: enrolment, connection, deployments, components, local IPC."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hedgerow.edge.compose import Edge, build
    from hedgerow.edge.main import run
    from hedgerow.edge.settings import EdgeSettings

__all__ = ["Edge", "EdgeSettings", "build", "run"]

_WHERE = {"Edge": "compose", "build": "compose", "run": "main", "EdgeSettings": "settings"}


def __getattr__(name: str) -> Any:
    """Import late: a command that only shows its help must not wait for all of this."""
    from importlib import import_module

    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(import_module(f"hedgerow.edge.{_WHERE[name]}"), name)
