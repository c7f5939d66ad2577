"""What a TLS connection says before it is encrypted, and which way in that opens."""

from hedgerow.core.tls.hello import Hello, read_hello
from hedgerow.core.tls.ways import NO_WAY, PORTS, Port, Proof, Speech, WayIn, names_for, way_for

__all__ = ["NO_WAY", "PORTS", "Hello", "Port", "Proof", "Speech", "WayIn", "names_for", "read_hello", "way_for"]
