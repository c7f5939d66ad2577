"""Hedgerow: a serverless IoT cloud that people run themselves, and the runtime on their devices."""

__version__ = "0.1.0"
