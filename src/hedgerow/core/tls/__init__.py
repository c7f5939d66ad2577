"""What a TLS connection says before it is encrypted, and which way in that opens."""

from hedgerow.core.tls.domains import DEFAULT_POLICY, SECURITY_POLICIES, Application, Domain, SecurityPolicy
from hedgerow.core.tls.hello import Hello, read_hello
from hedgerow.core.tls.ways import Port, Proof, Speech, WayIn, names_for, way_for

__all__ = [
    "DEFAULT_POLICY",
    "SECURITY_POLICIES",
    "Application",
    "Domain",
    "Hello",
    "Port",
    "Proof",
    "SecurityPolicy",
    "Speech",
    "WayIn",
    "names_for",
    "read_hello",
    "way_for",
]
