"""A real cloud for tests: `hedgerow_cloud` in any pytest suite where Hedgerow is installed.

```python
def test_a_reading_reaches_the_shadow(hedgerow_cloud):
    device = hedgerow_cloud.device("sensor-1")
    ...
    shadow = hedgerow_cloud.client("iot-data").get_thing_shadow(thingName="sensor-1")
```
One cloud process per test session, on free ports of loopback, in a temporary folder; a fresh account per test, so that
tests do not see each other's things.
"""

from hedgerow.testing.cloud import CloudProcess, CloudSession, Device, TestCloud, start_cloud

__all__ = ["CloudProcess", "CloudSession", "Device", "TestCloud", "start_cloud"]
