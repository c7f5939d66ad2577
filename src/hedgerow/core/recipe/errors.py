"""What can be wrong with a recipe, a version, a requirement or a configuration update."""

from hedgerow.base.errors import HedgerowError


class RecipeError(HedgerowError):
    """The author's fault: the text is no usable recipe. The message names the place and what is wrong there."""


class VersionError(RecipeError):
    """The text is no semantic version, or no version requirement."""


class ConfigurationError(RecipeError):
    """A configuration update cannot be applied: a bad pointer, or a pointer into an array."""
