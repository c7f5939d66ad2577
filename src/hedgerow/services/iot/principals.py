"""How the registry names principals inside: a certificate by its id alone; on the wire it is an ARN.

Things and policies can only be attached to certificates of the caller's own account. Amazon Cognito identities and IAM
principals are refused by name.
"""

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.arn import arn, parse
from hedgerow.core.caller import Caller
from hedgerow.services.iot.errors import InvalidRequest

CERTIFICATE = "cert/"
GROUP = "thinggroup/"


def certificate_arn(caller: Caller, certificate_id: str) -> str:
    """Make the ARN of one of the caller's certificates."""
    return arn("iot", caller.region, caller.account, CERTIFICATE + certificate_id)


def certificate_of(principal: str, caller: Caller) -> str:
    """Answer the id of the certificate that the ARN names.

    Raises InvalidRequest for what is no certificate ARN of the caller's account and region, NotImplementedYet for
    principals of other kinds.
    """
    resource = own_resource(principal, caller)
    if not resource.startswith(CERTIFICATE):
        raise InvalidRequest(f"{principal} is not the ARN of a certificate")
    return resource.removeprefix(CERTIFICATE)


def own_resource(text: str, caller: Caller) -> str:
    """Answer the resource part (`cert/…`, `thinggroup/…`) of an iot ARN of the caller's own account and region."""
    parts = parse(text)
    if parts is None:
        if text.startswith(f"{caller.region}:"):
            raise NotImplementedYet("Amazon Cognito identities are not supported as principals: attach a certificate")
        raise InvalidRequest(f"Invalid ARN: {text}")
    if parts.service in ("iam", "sts", "cognito-identity"):
        raise NotImplementedYet(f"Principals of {parts.service} are not supported here: attach a certificate")
    if parts.service != "iot":
        raise InvalidRequest(f"Invalid ARN: {text} is not of AWS IoT")
    if (parts.account, parts.region) != (caller.account, caller.region):
        raise InvalidRequest(f"Invalid ARN: {text} is not of account {caller.account} in {caller.region}")
    return parts.resource
