"""The table of operations: a file per service, each with `rows(…)`: operation name → Row."""
