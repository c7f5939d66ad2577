"""Component recipes: grammar, versions, platforms, configuration, variables. Pure; cloud and edge use it."""

from hedgerow.core.recipe.configuration import merged, updated, with_reset
from hedgerow.core.recipe.errors import ConfigurationError, RecipeError, VersionError
from hedgerow.core.recipe.lifecycle import Lifecycle, Step, StepName
from hedgerow.core.recipe.platform import fits
from hedgerow.core.recipe.recipe import (
    SHA256,
    Artifact,
    ComponentType,
    Dependency,
    Manifest,
    Recipe,
    Selected,
    component_name,
    parse_recipe,
    recipe_of,
)
from hedgerow.core.recipe.requirements import ANYTHING, Requirement, requirement
from hedgerow.core.recipe.semver import Version, version
from hedgerow.core.recipe.text import canonical
from hedgerow.core.recipe.variables import Paths, Variables, interpolate, interpolate_all

__all__ = [
    "ANYTHING",
    "SHA256",
    "Artifact",
    "ComponentType",
    "ConfigurationError",
    "Dependency",
    "Lifecycle",
    "Manifest",
    "Paths",
    "Recipe",
    "RecipeError",
    "Requirement",
    "Selected",
    "Step",
    "StepName",
    "Variables",
    "Version",
    "VersionError",
    "canonical",
    "component_name",
    "fits",
    "interpolate",
    "interpolate_all",
    "merged",
    "parse_recipe",
    "recipe_of",
    "requirement",
    "updated",
    "version",
    "with_reset",
]
