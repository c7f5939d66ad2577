"""What users need to test device code against a cloud of their own: a pytest fixture."""
