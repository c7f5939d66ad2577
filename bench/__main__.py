"""Runs every measurement, one after the other: `python -m bench [NAME …]`."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BENCHES = {
    "api": [sys.executable, "-m", "bench.api"],
    "cloud": [sys.executable, "-m", "bench.cloud"],
    "index": [sys.executable, "-m", "bench.index"],
    "onboarding": [sys.executable, "-m", "bench.onboarding"],
    "mqtt": [sys.executable, "-m", "bench.mqtt"],
    "mqtt_busy": [sys.executable, "-m", "bench.mqtt_busy"],
    "rights": [sys.executable, "-m", "bench.rights"],
    "shadows": [sys.executable, "-m", "bench.shadows"],
    "functions": [sys.executable, str(HERE / "functions.py")],
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"there is no measurement {unknown[0]!r}; there are: {', '.join(BENCHES)}")
        return 2
    failed = [
        name for name in names or BENCHES if subprocess.run(BENCHES[name], cwd=HERE.parent, check=False).returncode
    ]
    for name in failed:
        print(f"{name} failed")
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
