"""Provisioning templates in the registry."""

from hedgerow.services.iot.provisioning_templates.model import Hook, ProvisioningTemplate, TemplateVersion
from hedgerow.services.iot.provisioning_templates.operations import TemplateOperations
from hedgerow.services.iot.provisioning_templates.store import TemplateStore

__all__ = ["Hook", "ProvisioningTemplate", "TemplateOperations", "TemplateStore", "TemplateVersion"]
