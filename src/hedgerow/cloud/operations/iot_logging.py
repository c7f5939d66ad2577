"""Logging options: operation → row."""

from hedgerow.api.operations import Row, pass_role, read, write
from hedgerow.cloud.iot_log_lines import LINE, IotLogLines
from hedgerow.services.iot.logging import LoggingOperations
from hedgerow.store import Handler

_IOT = "iot.amazonaws.com"


def follow_up_rows(*, lines: IotLogLines) -> dict[str, Handler]:
    """Answer the handler of lines that were written down with what they tell of."""
    return {LINE: lines.on_line}


def rows(*, logging: LoggingOperations) -> dict[str, Row]:
    """Answer the rows that logging options add to the service `iot`; they have no resource."""
    return {
        "SetV2LoggingOptions": write(logging.set_v2_logging_options, also=(pass_role("roleArn", to=_IOT),)),
        "GetV2LoggingOptions": read(logging.get_v2_logging_options),
        "SetV2LoggingLevel": write(logging.set_v2_logging_level),
        "DeleteV2LoggingLevel": write(logging.delete_v2_logging_level),
        "ListV2LoggingLevels": read(logging.list_v2_logging_levels),
        "SetLoggingOptions": write(
            logging.set_logging_options, also=(pass_role("loggingOptionsPayload.roleArn", to=_IOT),)
        ),
        "GetLoggingOptions": read(logging.get_logging_options),
    }
