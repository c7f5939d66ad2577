"""Templates for tests, as a user writes them."""

import json
from typing import Any

CERTIFICATE: dict[str, Any] = {
    "Type": "AWS::IoT::Certificate",
    "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"},
}


def template(thing: dict[str, Any] | None = None, *, overrides: dict[str, str] | None = None, **sections: Any) -> str:
    """Answer a template's text with a certificate, and a thing of these properties."""
    resources: dict[str, Any] = {"certificate": CERTIFICATE}
    if thing is not None:
        resources["thing"] = {"Type": "AWS::IoT::Thing", "Properties": thing, "OverrideSettings": overrides or {}}
    resources |= sections.pop("resources", {})
    return json.dumps({"Resources": resources, **sections})
