"""Deployments: what things and groups of things shall run, revision by revision."""

from hedgerow.services.greengrassv2.deployments.effective import EffectiveDeploymentReader
from hedgerow.services.greengrassv2.deployments.flows import DeploymentFlows
from hedgerow.services.greengrassv2.deployments.model import Deployment, Status
from hedgerow.services.greengrassv2.deployments.operations import DeploymentOperations
from hedgerow.services.greengrassv2.deployments.ports import DeploymentShadows, GroupJobs, Progress
from hedgerow.services.greengrassv2.deployments.store import DeploymentStore

__all__ = [
    "Deployment",
    "DeploymentFlows",
    "DeploymentOperations",
    "DeploymentShadows",
    "DeploymentStore",
    "EffectiveDeploymentReader",
    "GroupJobs",
    "Progress",
    "Status",
]
