"""What can be wrong with a request for temporary credentials."""

from hedgerow.base.errors import AccessDenied, ServiceError


class NotAuthorised(AccessDenied):
    """The role does not trust the caller, or the caller's policies do not let it, or there is no such role."""

    def __init__(self, principal: str, action: str, role: str, why: str) -> None:
        super().__init__(f"User: {principal} is not authorized to perform: {action} on resource: {role}: {why}")


class RootAssumesNothing(AccessDenied):
    """The root of an account asks for a role: users and roles do that."""

    def __init__(self) -> None:
        super().__init__("Roles may not be assumed by root accounts.")


class SourceIdentityFixed(AccessDenied):
    """A session that has a source identity cannot give another to the next one."""

    def __init__(self, kept: str) -> None:
        super().__init__(f"The source identity {kept} of this session cannot be changed.")


class WrongDuration(ServiceError):
    """The duration is out of bounds."""

    code = "ValidationError"
    status = 400


class ChainTooLong(WrongDuration):
    """A role that was assumed by a role lasts an hour at most."""

    def __init__(self) -> None:
        super().__init__(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )


class SessionsOnly(AccessDenied):
    """Sessions cannot ask for further sessions of users."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"Cannot call {operation} with session credentials")


class WrongTerms(ServiceError):
    """The session's tags or policies are not possible; the message says why."""

    code = "ValidationError"
    status = 400


class MalformedSessionPolicy(ServiceError):
    """The session policy is no identity policy."""

    code = "MalformedPolicyDocumentException"


class PackedPolicyTooLarge(ServiceError):
    """Session policies and tags are too long together."""

    code = "PackedPolicyTooLargeException"


class UnknownAccessKey(ServiceError):
    """Nobody in this cloud has an access key of that id."""

    code = "ValidationError"
    status = 400

    def __init__(self, access_key_id: str) -> None:
        super().__init__(f"No account of this cloud has the access key {access_key_id}.")


class InvalidIdentity(ServiceError):
    """The token of the identity provider is no proof; the message says why."""

    code = "InvalidIdentityTokenException"


class IdentityExpired(ServiceError):
    """The token of the identity provider was good once."""

    code = "ExpiredTokenException"


class IdpUnreachable(ServiceError):
    """The identity provider cannot be asked for its keys just now."""

    code = "IDPCommunicationErrorException"


class WebIdentityRefused(AccessDenied):
    """There is no such role, or it does not trust this identity: which of them is not told to strangers."""

    def __init__(self) -> None:
        super().__init__("Not authorized to perform sts:AssumeRoleWithWebIdentity")


class WrongThing(AccessDenied):
    """The certificate is not attached to the thing that the header names."""

    def __init__(self) -> None:
        super().__init__("Invalid thing name passed")


class NoCertificate(AccessDenied):
    """The call needs a client certificate."""

    def __init__(self) -> None:
        super().__init__("Certificate is invalid on this endpoint")


class AliasDenied(AccessDenied):
    """The certificate's IoT policies do not allow it to use the role alias."""

    def __init__(self) -> None:
        super().__init__("Access Denied")


class AliasNotFound(ServiceError):
    """There is no such role alias."""

    code = "ResourceNotFoundException"

    def __init__(self) -> None:
        super().__init__("Role alias does not exist")


class RoleNotAssumable(ServiceError):
    """The alias' role is gone, or does not trust the credential provider."""

    code = "InvalidRequestException"

    def __init__(self) -> None:
        super().__init__("Unable to assume the role, or the role to assume does not exist")


class DurationTooLong(ServiceError):
    """The alias asks for longer than the role allows."""

    code = "InvalidRequestException"

    def __init__(self) -> None:
        super().__init__("The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role")
