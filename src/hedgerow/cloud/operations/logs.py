"""CloudWatch Logs: operation → row, follow-up kind → handler."""

from hedgerow.api.operations import Row, read, write
from hedgerow.services.logs.groups import LogOperations
from hedgerow.services.logs.groups.follow_ups import LogFollowUps
from hedgerow.services.logs.groups.operations import RETENTION_FOLLOW_UP
from hedgerow.store import Handler

# policies for a group are written with `:*` behind its name: what AWS asks about ends so, too
_NAMED = "arn:aws:logs:{region}:{account}:log-group:{logGroupName|logGroupIdentifier}"
GROUP = _NAMED + ":log-stream:"
STREAM = _NAMED + ":log-stream:{logStreamName}"


def rows(*, logs: LogOperations) -> dict[str, Row]:
    """Answer the rows of the service `logs`."""
    return {
        "CreateLogGroup": write(logs.create_log_group, GROUP),
        "DeleteLogGroup": write(logs.delete_log_group, GROUP),
        "DescribeLogGroups": read(logs.describe_log_groups),
        "PutRetentionPolicy": write(logs.put_retention_policy, GROUP),
        "DeleteRetentionPolicy": write(logs.delete_retention_policy, GROUP),
        "CreateLogStream": write(logs.create_log_stream, STREAM),
        "DeleteLogStream": write(logs.delete_log_stream, STREAM),
        "DescribeLogStreams": read(logs.describe_log_streams, GROUP),
        "PutLogEvents": write(logs.put_log_events, STREAM),
        "GetLogEvents": read(logs.get_log_events, STREAM),
        "FilterLogEvents": read(logs.filter_log_events, GROUP),
    }


def follow_up_rows(*, logs: LogFollowUps) -> dict[str, Handler]:
    """Answer what happens to log groups later."""
    return {RETENTION_FOLLOW_UP: logs.on_retention}
