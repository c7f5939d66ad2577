"""A component's recipe: read, checked, and asked what a device of some platform gets.

Property names and enums are read without regard to case and written in their documented case; what stands in a
lifecycle or a configuration is kept word by word. Names that no recipe has are listed in `unknown`: the cloud refuses
them, a device passes over them. Spec: Greengrass V2 component recipe reference, format 2020-01-25.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from hedgerow.core.recipe import platform as platforms
from hedgerow.core.recipe.errors import RecipeError, VersionError
from hedgerow.core.recipe.lifecycle import Lifecycle, lifecycle, selected
from hedgerow.core.recipe.reading import Reader, as_text
from hedgerow.core.recipe.requirements import ANYTHING, Requirement, requirement
from hedgerow.core.recipe.semver import Version, version
from hedgerow.core.recipe.text import canonical, parse

FORMAT: Final = "2020-01-25"
SHA256: Final = "SHA-256"
_NAME: Final = re.compile(r"[a-zA-Z0-9\-_.]{1,128}")
_SCHEMES: Final = ("s3", "greengrass", "docker", "file")


class ComponentType(Enum):
    """What kind of thing a component is."""

    GENERIC = "aws.greengrass.generic"
    LAMBDA = "aws.greengrass.lambda"
    PLUGIN = "aws.greengrass.plugin"
    NUCLEUS = "aws.greengrass.nucleus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that belongs to a component."""

    uri: str
    unarchive: str = "NONE"  # NONE or ZIP
    read: str = "OWNER"  # NONE, OWNER or ALL
    execute: str = "NONE"
    digest: str | None = None  # base64 of the SHA-256
    algorithm: str | None = None

    @property
    def scheme(self) -> str:
        """`s3`, `greengrass`, `docker` or `file`."""
        return self.uri.partition(":")[0]

    @property
    def file_name(self) -> str:
        """The last part of the URI: what the file is called on a device."""
        return self.uri.rsplit("/", 1)[-1].rsplit(":", 1)[-1]

    @property
    def name(self) -> str:
        """What follows the scheme: the artifact's name in GetComponentVersionArtifact for `greengrass:` URIs."""
        return self.uri.partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A component that must be on the device too."""

    requirement: Requirement
    hard: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What devices of one platform get."""

    name: str | None = None
    platform: Mapping[str, str] = field(default_factory=dict)
    lifecycle: Mapping[str, Any] = field(default_factory=dict)
    selections: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What one device gets of a recipe."""

    manifest: Manifest
    lifecycle: Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A checked recipe. `document` is the whole of it with documented names, as JSON values."""

    name: str
    version: Version
    type: ComponentType = ComponentType.GENERIC
    description: str = ""
    publisher: str = ""
    source: str | None = None  # the ARN of the Lambda function version that the component was made of
    defaults: Mapping[str, Any] = field(default_factory=dict)
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)
    manifests: tuple[Manifest, ...] = ()
    lifecycle: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts of all manifests, in order."""
        return tuple(artifact for manifest in self.manifests for artifact in manifest.artifacts)

    def maybe_manifest(self, attributes: Mapping[str, str]) -> Manifest | None:
        """Answer the first manifest that fits a device with these attributes, or None."""
        return next((one for one in self.manifests if platforms.fits(one.platform, attributes)), None)

    def maybe_selected(self, attributes: Mapping[str, str]) -> Selected | None:
        """Answer what a device with these attributes gets, or None when no manifest fits it."""
        manifest = self.maybe_manifest(attributes)
        return None if manifest is None else Selected(manifest=manifest, lifecycle=self.lifecycle_of(manifest))

    def lifecycle_of(self, manifest: Manifest) -> Lifecycle:
        """Answer a manifest's own lifecycle, else the part of the global one that its selections choose."""
        if manifest.lifecycle:
            return lifecycle(manifest.lifecycle)
        known = frozenset(key for one in self.manifests for key in one.selections) | {"all"}
        section = selected(self.lifecycle, manifest.selections or ("all",), known)
        return lifecycle(section or {})

    def to_json(self) -> str:
        """Answer the recipe as JSON text."""
        return canonical(self.document)


def parse_recipe(text: str | bytes) -> Recipe:
    """Read a recipe in JSON or YAML; raise RecipeError when it is none, with the place and what is wrong there."""
    return recipe_of(parse(text))


def recipe_of(document: Any) -> Recipe:
    """Read a recipe that is already parsed."""
    reader = Reader(document, "the recipe")
    given = reader.text("RecipeFormatVersion")
    if given != FORMAT:
        raise RecipeError(f"RecipeFormatVersion must be {FORMAT}, not {given!r}")
    recipe = Recipe(
        name=component_name(reader.text("ComponentName")),
        version=version(reader.text("ComponentVersion")),
        type=_component_type(reader.maybe_text("ComponentType")),
        description=reader.maybe_text("ComponentDescription") or "",
        publisher=reader.maybe_text("ComponentPublisher") or "",
        source=reader.maybe_text("ComponentSource"),
        defaults=_defaults(reader),
        dependencies=_dependencies(reader),
        manifests=tuple(_manifest(one) for one in reader.readers("Manifests")),
        lifecycle=reader.maybe_mapping("Lifecycle") or {},
        document=reader.document(),
        unknown=tuple(reader.unknown()),
    )
    _check(recipe)
    return recipe


def component_name(text: str) -> str:
    """Answer the name; raise RecipeError when it is not one."""
    if not _NAME.fullmatch(text):
        raise RecipeError(f"{text!r} is no component name: 1 to 128 of letters, digits, '-', '_' and '.'")
    return text


def _component_type(text: str | None) -> ComponentType:
    if text is None:
        return ComponentType.GENERIC
    for kind in ComponentType:
        if kind.value == text.lower():
            return kind
    raise RecipeError(f"ComponentType {text!r} is not one of {', '.join(kind.value for kind in ComponentType)}")


def _defaults(reader: Reader) -> Mapping[str, Any]:
    section = reader.maybe_reader("ComponentConfiguration")
    return {} if section is None else section.maybe_mapping("DefaultConfiguration") or {}


def _dependencies(reader: Reader) -> Mapping[str, Dependency]:
    found: dict[str, Dependency] = {}
    for name, section in reader.named_readers("ComponentDependencies"):
        component_name(name)
        kind = (section.maybe_text("DependencyType") or "HARD").upper()
        if kind not in ("HARD", "SOFT"):
            raise RecipeError(f"the dependency on {name} must be HARD or SOFT, not {kind!r}")
        wanted = section.maybe_text("VersionRequirement")
        try:
            found[name] = Dependency(requirement=requirement(wanted) if wanted else ANYTHING, hard=kind == "HARD")
        except VersionError as error:
            raise RecipeError(f"the dependency on {name}: {error}") from error
    return found


def _manifest(reader: Reader) -> Manifest:
    platform = reader.maybe_mapping("Platform") or {}
    wanted = {key: as_text(value, f"Platform.{key}") for key, value in platform.items()}
    platforms.check(wanted)
    selections = reader.maybe_list("Selections") or []
    return Manifest(
        name=reader.maybe_text("Name"),
        platform=wanted,
        lifecycle=reader.maybe_mapping("Lifecycle") or {},
        selections=tuple(as_text(one, "Selections") for one in selections),
        artifacts=tuple(_artifact(one) for one in reader.readers("Artifacts")),
    )


def _artifact(reader: Reader) -> Artifact:
    permission = reader.maybe_reader("Permission")
    uri = reader.text("Uri")
    if uri.partition(":")[0] not in _SCHEMES or not uri.partition(":")[2]:
        raise RecipeError(f"the artifact {uri!r} has none of the schemes {', '.join(_SCHEMES)}")
    return Artifact(
        uri=uri,
        unarchive=reader.choice("Unarchive", ("NONE", "ZIP"), "NONE"),
        read=permission.choice("Read", ("NONE", "OWNER", "ALL"), "OWNER") if permission else "OWNER",
        execute=permission.choice("Execute", ("NONE", "OWNER", "ALL"), "NONE") if permission else "NONE",
        digest=reader.maybe_text("Digest"),
        algorithm=reader.maybe_text("Algorithm"),
    )


def _check(recipe: Recipe) -> None:
    if recipe.name in recipe.dependencies:
        raise RecipeError(f"{recipe.name} depends on itself")
    for manifest in recipe.manifests:
        recipe.lifecycle_of(manifest)
        _check_file_names(manifest.artifacts)


def _check_file_names(artifacts: Sequence[Artifact]) -> None:
    names = [one.file_name for one in artifacts if one.scheme != "docker"]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RecipeError(f"two artifacts of one manifest have the file name {twice!r}")
    if any(name in ("", ".", "..") for name in names):
        raise RecipeError("an artifact's URI does not end in a file name")
