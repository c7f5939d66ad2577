"""The HTTP shell: parse, authenticate, authorise, validate, operation, serialise."""
