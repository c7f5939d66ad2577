"""Tags of components, deployments and core devices."""

from hedgerow.services.greengrassv2.tags.operations import Tagged, TagOperations

__all__ = ["TagOperations", "Tagged"]
