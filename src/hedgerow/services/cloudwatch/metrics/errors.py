"""What can be wrong with a call to CloudWatch."""

from hedgerow.base.errors import NotImplementedYet, ServiceError


class InvalidParameterValue(ServiceError):
    """A parameter has a value that is not allowed."""

    code = "InvalidParameterValueException"


class InvalidParameterCombination(ServiceError):
    """Parameters that exclude each other, or that need each other."""

    code = "InvalidParameterCombinationException"


class StatisticRefused(NotImplementedYet):
    """A statistic that cannot be computed from what is kept."""

    def __init__(self, statistic: str) -> None:
        super().__init__(
            f"the statistic {statistic} is not there yet: what is kept of a period is SampleCount, Sum, Minimum and "
            "Maximum; use one of these or Average"
        )
