"""A component version: a recipe that does not change, and where its artifacts are kept."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.core.recipe import SHA256, Recipe, Version, parse_recipe, recipe_of, version

LAMBDA_ARTIFACT: Final = "lambda-artifact.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptArtifact:
    """One artifact's bytes: `reference` is what the keeper of artifacts calls them."""

    uri: str  # as in the stored recipe
    file_name: str
    reference: str
    sha256: str  # hex
    size: int

    @property
    def name(self) -> str:
        """What core devices ask for: unique in the recipe, and it ends in the file's name."""
        return f"{self.sha256}/{self.file_name}"

    @property
    def digest(self) -> str:
        """The digest as recipes write it."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One version of a component."""

    owner: str  # an account, or "aws"
    name: str
    version: str
    recipe: str  # canonical JSON, with digests
    artifacts: tuple[KeptArtifact, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    client_token: str | None = None
    created_at: float = 0.0
    message: str = ""  # what a core device (and its operator) is told when it gets this version

    def parsed(self) -> Recipe:
        """Answer the recipe, read."""
        return parse_recipe(self.recipe)

    @property
    def ordered(self) -> Version:
        """Answer the version as something that can be compared."""
        return version(self.version)

    def maybe_artifact(self, name: str) -> KeptArtifact | None:
        """Answer the artifact that a core device names: as the resolved recipe has it, or by its file name."""
        return next((one for one in self.artifacts if name in (one.name, one.file_name)), None)

    def for_devices(self) -> str:
        """Answer the recipe as core devices get it: artifacts that we keep are fetched from us."""
        kept = {one.uri: one for one in self.artifacts}

        def changed(artifact: Mapping[str, Any]) -> Mapping[str, Any]:
            one = kept.get(artifact["Uri"])
            return artifact if one is None else {**artifact, "Uri": f"greengrass:{one.name}"}

        return _with_artifacts(self.parsed(), changed).to_json()


def with_digests(recipe: Recipe, kept: Mapping[str, KeptArtifact]) -> Recipe:
    """Answer the recipe with the digest of every artifact that we keep (by URI), and of no other."""

    def changed(artifact: Mapping[str, Any]) -> Mapping[str, Any]:
        plain = {key: value for key, value in artifact.items() if key not in ("Digest", "Algorithm")}
        one = kept.get(artifact["Uri"])
        return plain if one is None else {**plain, "Digest": one.digest, "Algorithm": SHA256}

    return _with_artifacts(recipe, changed)


def _with_artifacts(recipe: Recipe, changed: Any) -> Recipe:
    document = dict(recipe.document)
    if document.get("Manifests"):
        document["Manifests"] = [
            {**one, "Artifacts": [changed(artifact) for artifact in one["Artifacts"]]} if one.get("Artifacts") else one
            for one in document["Manifests"]
        ]
    return recipe_of(document)
