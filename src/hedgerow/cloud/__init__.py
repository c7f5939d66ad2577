"""The cloud process: the composition root and the tables that join everything."""
