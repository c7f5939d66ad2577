"""Deployments: where they come from, the engine that carries them out, and what is reported."""
