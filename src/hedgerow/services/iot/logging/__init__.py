"""Logging options: what of an account's IoT activity is written to CloudWatch Logs, and in which role."""

from hedgerow.services.iot.logging.model import LoggingOptions
from hedgerow.services.iot.logging.operations import LoggingOperations
from hedgerow.services.iot.logging.store import LoggingStore

__all__ = ["LoggingOperations", "LoggingOptions", "LoggingStore"]
