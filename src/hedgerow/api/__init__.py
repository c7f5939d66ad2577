"""The HTTP shell: parse, authenticate, authorise, validate, operation, serialise."""

from hedgerow.api.alternatives import instead
from hedgerow.api.app import ApiApp
from hedgerow.api.authentication import Peer
from hedgerow.api.models import OWN_MODELS, ModelFiles, botocore_models
from hedgerow.api.operations import Also, Row, Way, flow, pass_role, read, write
from hedgerow.api.pipeline import Pipeline
from hedgerow.api.ports import AccessKey, Decision, Directory, Grants, Observer

__all__ = [
    "OWN_MODELS",
    "AccessKey",
    "Also",
    "ApiApp",
    "Decision",
    "Directory",
    "Grants",
    "ModelFiles",
    "Observer",
    "Peer",
    "Pipeline",
    "Row",
    "Way",
    "botocore_models",
    "flow",
    "instead",
    "pass_role",
    "read",
    "write",
]
