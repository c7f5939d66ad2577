"""The public components that we have: stubs of what every core device has built in.

They let deployments and recipes name these components. The Hedgerow edge has all of them built in; Amazon's own nucleus
swaps its token exchange in by itself, but its Lambda support is Amazon's jars, which are not ours to hand out: whoever
needs it there uploads them as private components of the same names, which come before these.
"""

from collections.abc import Mapping
from typing import Final

from hedgerow.core.recipe import canonical
from hedgerow.services.greengrassv2.arns import PUBLIC
from hedgerow.services.greengrassv2.components.model import Component

PUBLISHED_AT: Final = 1_600_000_000.0
_EDGE_ONLY: Final = (
    "This is a stub. The Hedgerow edge has it built in; Amazon's nucleus needs Amazon's own component, "
    "to be uploaded as a private component of this name."
)


def _stub(name: str, version: str, description: str, message: str = "") -> Component:
    recipe = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentType": "aws.greengrass.generic",
        "ComponentDescription": description,
        "ComponentPublisher": "Hedgerow",
        "Manifests": [{"Lifecycle": {}, "Artifacts": []}],
    }
    return Component(
        owner=PUBLIC,
        name=name,
        version=version,
        recipe=canonical(recipe),
        created_at=PUBLISHED_AT,
        message=message,
    )


CATALOGUE: Final[Mapping[str, tuple[Component, ...]]] = {
    PUBLIC: (
        _stub("aws.greengrass.LambdaLauncher", "2.0.13", "Starts Lambda functions. " + _EDGE_ONLY, _EDGE_ONLY),
        _stub("aws.greengrass.LambdaManager", "2.3.4", "Manages Lambda functions. " + _EDGE_ONLY, _EDGE_ONLY),
        _stub("aws.greengrass.LambdaRuntimes", "2.0.8", "Runtimes of Lambda functions. " + _EDGE_ONLY, _EDGE_ONLY),
        _stub(
            "aws.greengrass.TokenExchangeService",
            "2.0.3",
            "Gives components credentials of the core device's role. Every core device has it built in.",
        ),
    )
}

NUCLEUS: Final = "aws.greengrass.Nucleus"
"""May be named in deployments, at the version that runs, to configure it; is never handed out."""
