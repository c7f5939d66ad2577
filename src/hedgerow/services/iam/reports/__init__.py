"""Reports on everything in an account: figures, and all identities with all their policies."""

from hedgerow.services.iam.reports.details import DetailOperations
from hedgerow.services.iam.reports.operations import SummaryOperations

__all__ = ["DetailOperations", "SummaryOperations"]
