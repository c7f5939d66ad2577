"""The pytest plugin: the fixture `hedgerow_cloud`."""
