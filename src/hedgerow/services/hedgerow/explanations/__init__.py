"""Explanations: why a device may do something, or may not."""

from hedgerow.services.hedgerow.explanations.operations import DeviceRights, ExplanationOperations

__all__ = ["DeviceRights", "ExplanationOperations"]
