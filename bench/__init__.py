"""Measurements. `make bench` runs all of them; each appends a dated section to bench/results.md."""
