"""The rows of the service `iot` for custom authorizers."""

from hedgerow.api.operations import Row, flow, read, write
from hedgerow.services.iot.authorizers import AuthorizerFlows, AuthorizerOperations

_AUTHORIZER = "arn:aws:iot:{region}:{account}:authorizer/{authorizerName}"


def rows(*, authorizers: AuthorizerOperations, flows: AuthorizerFlows) -> dict[str, Row]:
    """Answer the rows of authorizers."""
    return {
        "CreateAuthorizer": write(authorizers.create_authorizer, _AUTHORIZER),
        "DescribeAuthorizer": read(authorizers.describe_authorizer, _AUTHORIZER),
        "ListAuthorizers": read(authorizers.list_authorizers),
        "UpdateAuthorizer": write(authorizers.update_authorizer, _AUTHORIZER),
        "DeleteAuthorizer": write(authorizers.delete_authorizer, _AUTHORIZER),
        "SetDefaultAuthorizer": write(authorizers.set_default_authorizer, _AUTHORIZER),
        "DescribeDefaultAuthorizer": read(authorizers.describe_default_authorizer),
        "ClearDefaultAuthorizer": write(authorizers.clear_default_authorizer),
        "TestInvokeAuthorizer": flow(flows.test_invoke_authorizer, _AUTHORIZER),
    }
