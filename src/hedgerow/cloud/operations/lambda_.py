"""AWS Lambda: operation → row, and what happens later to queued events."""

from hedgerow.api.operations import Also, Row, flow, pass_role, read, write
from hedgerow.services.lambda_.aliases import AliasOperations
from hedgerow.services.lambda_.functions import QUEUED, FunctionOperations, LambdaFlows
from hedgerow.services.lambda_.permissions import PermissionOperations
from hedgerow.store import Handler

FUNCTION = "arn:aws:lambda:{region}:{account}:function:{FunctionName}"
_QUALIFIED = FUNCTION + "{:Qualifier}"
_TO_FUNCTION = pass_role("Role", to="lambda.amazonaws.com")
_CODE = Also("s3:GetObject", "arn:aws:s3:::{Code.S3Bucket}/{Code.S3Key}")
_NEW_CODE = Also("s3:GetObject", "arn:aws:s3:::{S3Bucket}/{S3Key}")


def rows(
    *,
    functions: FunctionOperations,
    flows: LambdaFlows,
    aliases: AliasOperations,
    permissions: PermissionOperations,
) -> dict[str, Row]:
    """Answer the rows of the service `lambda`."""
    return {
        "CreateFunction": flow(flows.create_function, FUNCTION, also=(_TO_FUNCTION, _CODE)),
        "GetFunction": flow(flows.get_function, _QUALIFIED),
        "UpdateFunctionCode": flow(flows.update_function_code, FUNCTION, also=(_NEW_CODE,)),
        "Invoke": flow(flows.invoke, _QUALIFIED, action="lambda:InvokeFunction"),
        "GetFunctionConfiguration": read(functions.get_function_configuration, _QUALIFIED),
        "UpdateFunctionConfiguration": write(functions.update_function_configuration, FUNCTION, also=(_TO_FUNCTION,)),
        "ListFunctions": read(functions.list_functions),
        "ListVersionsByFunction": read(functions.list_versions_by_function, FUNCTION),
        "PublishVersion": write(functions.publish_version, FUNCTION),
        "DeleteFunction": write(functions.delete_function, _QUALIFIED),
        "TagResource": write(functions.tag_resource, "{Resource}"),
        "UntagResource": write(functions.untag_resource, "{Resource}"),
        "ListTags": read(functions.list_tags, "{Resource}"),
        "CreateAlias": write(aliases.create_alias, FUNCTION),
        "GetAlias": read(aliases.get_alias, FUNCTION),
        "UpdateAlias": write(aliases.update_alias, FUNCTION),
        "DeleteAlias": write(aliases.delete_alias, FUNCTION),
        "ListAliases": read(aliases.list_aliases, FUNCTION),
        "AddPermission": write(permissions.add_permission, _QUALIFIED),
        "GetPolicy": read(permissions.get_policy, _QUALIFIED),
        "RemovePermission": write(permissions.remove_permission, _QUALIFIED),
    }


def follow_up_rows(*, flows: LambdaFlows) -> dict[str, Handler]:
    """Answer what happens to queued events."""
    return {QUEUED: flows.on_event}
