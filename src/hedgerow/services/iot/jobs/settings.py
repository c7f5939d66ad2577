"""How a job is rolled out, given up, repeated: settings as CreateJob, UpdateJob and job templates give them.

Read from the wire, checked, and shown as they were given. Spec: AWS IoT Jobs, "job rollout, abort and retry
configurations".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Final

from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.jobs.scheduling import Schedule, read_schedule, shown_schedule

Wire = Mapping[str, Any]
FASTEST: Final = 1000
"""Things a minute: AWS's limit of every rollout."""
MOST_RETRIES: Final = 10
LINK_S: Final = 3600
ALL_FAILURES: Final = "ALL"
_DAYS_7: Final = 10_080


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How many things get the job in a minute: a constant, or more and more."""

    most: int | None = None
    base: int | None = None
    factor: float = 1.0
    per_notified: int | None = None
    per_succeeded: int | None = None

    def rate(self, *, notified: int, succeeded: int) -> int:
        """Answer how many things may get the job in this minute."""
        if self.base is None:
            return self.most or FASTEST
        steps = notified // self.per_notified if self.per_notified else succeeded // (self.per_succeeded or 1)
        growth: Decimal = Decimal(str(self.factor)) ** min(steps, 100)  # in floats 25 * 1.4 ** 2 is below 49
        return min(int(self.base * growth), self.most or FASTEST, FASTEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortCriterion:
    """When so many have executed and this share of them failed in this way, the job is canceled."""

    failure: str
    percentage: float
    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryCriterion:
    """How often an execution that failed in this way is tried again."""

    failure: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigning:
    """In which role, and for how long, links in the document are signed."""

    role_arn: str
    expires_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them; None where nothing was said."""

    rollout: Rollout | None = None
    abort: tuple[AbortCriterion, ...] = ()
    retry: tuple[RetryCriterion, ...] = ()
    timeout_minutes: int | None = None
    schedule: Schedule | None = None
    presigning: Presigning | None = None

    def over(self, base: "Settings") -> "Settings":
        """Answer these, and the base's where nothing was said."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(base, **{name: value for name, value in said.items() if value not in (None, ())})


def read_settings(request: Mapping[str, Any]) -> Settings:
    """Read what the request has of them; it must be a Request, or the plain members of a stored one."""
    return Settings(
        rollout=_rollout(_part(request, "jobExecutionsRolloutConfig")),
        abort=_abort(_part(request, "abortConfig")),
        retry=_retry(_part(request, "jobExecutionsRetryConfig")),
        timeout_minutes=_timeout(_part(request, "timeoutConfig")),
        schedule=read_schedule(_part(request, "schedulingConfig")),
        presigning=_presigning(_part(request, "presignedUrlConfig")),
    )


def shown_settings(settings: Settings) -> dict[str, Any]:
    """Answer them as they were given; nothing for what was not."""
    shown: dict[str, Any] = {}
    if settings.rollout is not None:
        shown["jobExecutionsRolloutConfig"] = _shown_rollout(settings.rollout)
    if settings.abort:
        shown["abortConfig"] = {
            "criteriaList": [
                {
                    "failureType": one.failure,
                    "action": "CANCEL",
                    "thresholdPercentage": one.percentage,
                    "minNumberOfExecutedThings": one.least,
                }
                for one in settings.abort
            ]
        }
    if settings.retry:
        criteria = [{"failureType": one.failure, "numberOfRetries": one.times} for one in settings.retry]
        shown["jobExecutionsRetryConfig"] = {"criteriaList": criteria}
    if settings.timeout_minutes is not None:
        shown["timeoutConfig"] = {"inProgressTimeoutInMinutes": settings.timeout_minutes}
    if settings.schedule is not None:
        shown["schedulingConfig"] = shown_schedule(settings.schedule)
    if settings.presigning is not None:
        presigning = settings.presigning
        shown["presignedUrlConfig"] = {"roleArn": presigning.role_arn, "expiresInSec": presigning.expires_s}
    return shown


def _part(request: Mapping[str, Any], name: str) -> Wire | None:
    if name not in request:
        return None
    take = getattr(request, "take_all", None)
    part: Wire | None = request[name] if take is None else take(name)
    return part


def _rollout(wire: Wire | None) -> Rollout | None:
    if not wire:
        return None
    most, exponential = wire.get("maximumPerMinute"), wire.get("exponentialRate")
    if most is not None and not 1 <= most <= FASTEST:
        raise InvalidRequest(f"maximumPerMinute must be 1 to {FASTEST}.")
    if not exponential:
        return Rollout(most=most)
    criteria, factor = exponential["rateIncreaseCriteria"], float(exponential["incrementFactor"])
    notified, succeeded = criteria.get("numberOfNotifiedThings"), criteria.get("numberOfSucceededThings")
    if (notified is None) == (succeeded is None):
        raise InvalidRequest("rateIncreaseCriteria needs one of numberOfNotifiedThings and numberOfSucceededThings.")
    if round(factor, 1) != factor:
        raise InvalidRequest("incrementFactor has one digit after the point at most.")
    base = exponential["baseRatePerMinute"]
    return Rollout(most=most, base=base, factor=factor, per_notified=notified, per_succeeded=succeeded)


def _shown_rollout(rollout: Rollout) -> dict[str, Any]:
    shown: dict[str, Any] = {} if rollout.most is None else {"maximumPerMinute": rollout.most}
    if rollout.base is not None:
        criteria = {"numberOfNotifiedThings": rollout.per_notified, "numberOfSucceededThings": rollout.per_succeeded}
        shown["exponentialRate"] = {
            "baseRatePerMinute": rollout.base,
            "incrementFactor": rollout.factor,
            "rateIncreaseCriteria": {name: value for name, value in criteria.items() if value is not None},
        }
    return shown


def _abort(wire: Wire | None) -> tuple[AbortCriterion, ...]:
    criteria: Sequence[Wire] = (wire or {}).get("criteriaList") or ()
    for one in criteria:
        percentage = float(one["thresholdPercentage"])
        if not 0 < percentage <= 100 or round(percentage, 2) != percentage:
            raise InvalidRequest("thresholdPercentage must be above 0 and at most 100, with two decimals at most.")
    return tuple(
        AbortCriterion(
            failure=one["failureType"],
            percentage=float(one["thresholdPercentage"]),
            least=one["minNumberOfExecutedThings"],
        )
        for one in criteria
    )


def _retry(wire: Wire | None) -> tuple[RetryCriterion, ...]:
    criteria: Sequence[Wire] = (wire or {}).get("criteriaList") or ()
    found = tuple(RetryCriterion(failure=one["failureType"], times=one["numberOfRetries"]) for one in criteria)
    kinds = [one.failure for one in found]
    if len(set(kinds)) != len(kinds) or (ALL_FAILURES in kinds and len(kinds) > 1):
        raise InvalidRequest("Each failureType may have one retry criterion, and ALL stands alone.")
    if sum(one.times for one in found) > MOST_RETRIES:
        raise InvalidRequest(f"An execution is retried {MOST_RETRIES} times at most.")
    return found


def _presigning(wire: Wire | None) -> Presigning | None:
    if not wire:
        return None
    if not wire.get("roleArn"):
        raise InvalidRequest("presignedUrlConfig needs a roleArn.")
    return Presigning(role_arn=wire["roleArn"], expires_s=wire.get("expiresInSec") or LINK_S)


def _timeout(wire: Wire | None) -> int | None:
    minutes: int | None = (wire or {}).get("inProgressTimeoutInMinutes")
    if minutes is not None and not 1 <= minutes <= _DAYS_7:
        raise InvalidRequest(f"inProgressTimeoutInMinutes must be 1 to {_DAYS_7}.")
    return minutes
