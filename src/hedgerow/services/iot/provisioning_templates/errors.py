"""What can be wrong with a request about provisioning templates."""

from hedgerow.services.iot.errors import (
    DeleteConflict,
    InvalidRequest,
    LimitExceeded,
    ResourceAlreadyExists,
    ResourceNotFound,
    VersionsLimitExceeded,
)


class TemplateNotFound(ResourceNotFound):
    """No template of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unable to find template named {name}")


class TemplateVersionNotFound(ResourceNotFound):
    """The template has no such version."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(f"Unable to find version {version} of template named {name}")


class TemplateExists(ResourceAlreadyExists):
    """The name is taken."""

    def __init__(self, name: str, *, template_arn: str) -> None:
        super().__init__(f"Template with name {name} already exists", resourceId=name, resourceArn=template_arn)


class TemplateInUse(DeleteConflict):
    """CA certificates have their devices provisioned by it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Template {name} is attached to a CA certificate: change the registrationConfig there first "
            "(ListCACertificates with templateName finds it)"
        )


class InvalidTemplateBody(InvalidRequest):
    """The body is no template that we can honour."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The template body is invalid: {why}")


class InvalidHook(InvalidRequest):
    """The pre-provisioning hook cannot be honoured; the message says why."""


class RoleUnusable(InvalidRequest):
    """The provisioning role is none of this account, or is not there."""


class DefaultVersion(InvalidRequest):
    """What is asked for cannot be done with the default version."""


class TooManyVersions(VersionsLimitExceeded):
    """One version has to go first."""

    def __init__(self, name: str, most: int) -> None:
        super().__init__(f"Template {name} already has {most} versions, which is the most")


class TooManyTemplates(LimitExceeded):
    """There are as many as there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"An account may have {most} provisioning templates")
