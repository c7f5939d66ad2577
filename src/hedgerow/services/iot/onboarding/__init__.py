"""The record of how devices got their identity, or did not."""

from hedgerow.services.iot.onboarding.follow_ups import COUNTED, NOTED, PAUSE_S, OnboardingFollowUps
from hedgerow.services.iot.onboarding.model import Attempt, Outcome, Way
from hedgerow.services.iot.onboarding.operations import OnboardingOperations
from hedgerow.services.iot.onboarding.recording import Attempts
from hedgerow.services.iot.onboarding.store import OnboardingStore

__all__ = [
    "COUNTED",
    "NOTED",
    "PAUSE_S",
    "Attempt",
    "Attempts",
    "OnboardingFollowUps",
    "OnboardingOperations",
    "OnboardingStore",
    "Outcome",
    "Way",
]
