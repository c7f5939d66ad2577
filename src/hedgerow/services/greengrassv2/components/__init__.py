"""Components: versions of recipes, their artifacts, and which one a core device gets."""

from hedgerow.services.greengrassv2.components.catalogue import NUCLEUS
from hedgerow.services.greengrassv2.components.flows import ComponentFlows
from hedgerow.services.greengrassv2.components.operations import ComponentOperations
from hedgerow.services.greengrassv2.components.ports import Artifacts, LambdaVersion, LambdaVersions, Stored
from hedgerow.services.greengrassv2.components.store import ComponentStore

__all__ = [
    "NUCLEUS",
    "Artifacts",
    "ComponentFlows",
    "ComponentOperations",
    "ComponentStore",
    "LambdaVersion",
    "LambdaVersions",
    "Stored",
]
