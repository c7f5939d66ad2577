"""The rows of registering devices for others, and of claims: of `iot`, and of our own service."""

from collections.abc import Callable

from hedgerow.api.operations import Row, flow, pass_role, read, write
from hedgerow.services.iot.claims import OVER, ClaimFlows, ClaimFollowUps, ClaimOperations
from hedgerow.services.iot.onboarding import (
    COUNTED,
    NOTED,
    PAUSE_S,
    OnboardingFollowUps,
    OnboardingOperations,
)
from hedgerow.services.iot.provisioning import OperatorRegistration
from hedgerow.services.iot.registration_tasks import (
    FORGOTTEN,
    STEP,
    RegistrationTaskFlows,
    RegistrationTaskFollowUps,
    RegistrationTaskOperations,
)
from hedgerow.store import Answer, FollowUp, Gathered, Handler, Tx

_TEMPLATE = "arn:aws:iot:{region}:{account}:provisioningtemplate/{templateName}"
_CLAIM = "arn:aws:iot:{region}:{account}:cert/{certificateId}"


def rows(*, registering: OperatorRegistration) -> dict[str, Row]:
    """Answer the rows of `iot` that register devices for operators. The nested steps ask for rights of their own."""
    return {"RegisterThing": flow(registering.register_thing)}


def task_rows(*, tasks: RegistrationTaskOperations, flows: RegistrationTaskFlows) -> dict[str, Row]:
    """Answer the rows of `iot` that register devices in bulk."""
    to_task = (pass_role("roleArn", to="iot.amazonaws.com"),)
    return {
        "StartThingRegistrationTask": flow(flows.start_thing_registration_task, also=to_task),
        "StopThingRegistrationTask": write(tasks.stop_thing_registration_task),
        "DescribeThingRegistrationTask": read(tasks.describe_thing_registration_task),
        "ListThingRegistrationTasks": read(tasks.list_thing_registration_tasks),
        "ListThingRegistrationTaskReports": flow(flows.list_thing_registration_task_reports),
    }


def task_follow_up_rows(*, tasks: RegistrationTaskFollowUps) -> dict[str, Handler]:
    """Answer the work of registering in bulk."""
    return {STEP: tasks.on_step, FORGOTTEN: tasks.on_forgotten}


def claim_rows(*, flows: ClaimFlows) -> dict[str, Row]:
    """Answer the row of `iot` that makes claims."""
    return {"CreateProvisioningClaim": flow(flows.create_provisioning_claim, _TEMPLATE)}


def own_claim_rows(*, claims: ClaimOperations) -> dict[str, Row]:
    """Answer the rows of `hedgerow` for claims."""
    return {
        "PutClaim": write(claims.put_claim, _CLAIM),
        "GetClaim": read(claims.get_claim, _CLAIM),
        "ListClaims": read(claims.list_claims),
        "DeleteClaim": write(claims.delete_claim, _CLAIM),
    }


def onboarding_rows(*, onboarding: OnboardingOperations) -> dict[str, Row]:
    """Answer the row of `hedgerow` for the record of attempts."""
    return {"ListOnboardingAttempts": read(onboarding.list_onboarding_attempts)}


def onboarding_follow_up_rows(*, onboarding: OnboardingFollowUps) -> dict[str, Handler]:
    """Answer how attempts are told of and counted."""
    return {NOTED: Gathered(onboarding.on_noted, pause_s=PAUSE_S), COUNTED: onboarding.on_counted}


def claim_follow_up_rows(*, claims: ClaimFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer what happens to claims later."""
    return {OVER: claims.on_over}
