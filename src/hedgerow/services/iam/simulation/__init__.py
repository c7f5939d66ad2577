"""What a principal might do: policies are asked without anything being done."""

from hedgerow.services.iam.simulation.operations import SimulationOperations

__all__ = ["SimulationOperations"]
