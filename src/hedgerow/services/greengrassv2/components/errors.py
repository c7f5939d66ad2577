"""Why a component request is refused."""

from hedgerow.core.recipe import RecipeError
from hedgerow.services.greengrassv2.errors import Conflict, NotFound, ValidationFailed

KIND = "component"


class NoSuchComponent(NotFound):
    """There is no such component, version or artifact."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"The component {arn} does not exist.", resource=arn, kind=KIND)


class NoUsableVersion(NotFound):
    """Nothing fits what a core device asked for. The nucleus looks for `no usable version` and `claim platform`."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message, resource=name, kind=KIND)


class ComponentExists(Conflict):
    """Versions do not change: this one is there already."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"The component version {arn} already exists.", resource=arn, kind=KIND)


def invalid_recipe(error: RecipeError) -> ValidationFailed:
    """Answer the refusal of a faulty recipe."""
    return ValidationFailed(f"Recipe is invalid: {error}", field="inlineRecipe")
