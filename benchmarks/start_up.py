"""From the start of `meshflow serve`, Envoy included, to the first answered run over REST; beside a bare interpreter start.

python -m benchmarks.start_up [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path


def _first_run(directory: str, *options: str) -> float:
    environment = {
        **os.environ,
        "MESHFLOW_MOCK": "1",
        "MESHFLOW_LOG_FORMAT": "json",
        "MESHFLOW_LEDGER_DB": str(Path(directory) / "ledger.db"),
    }
    started = time.perf_counter()
    command = [sys.executable, "-m", "meshflow_grpc", "serve", "--port", "0", *options]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = next(e["address"] for line in process.stderr if (e := json.loads(line))["event"] == "serving")
        request = urllib.request.Request(
            f"{address}/run", data=b'{"task":"x"}', headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["status"] == "completed"
        took = time.perf_counter() - started
        process.terminate()
        process.stderr.read()
    return took


def _interpreter() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Prints medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    runs, bare = [], []
    for _ in range(parser.parse_args().rounds):
        with tempfile.TemporaryDirectory() as directory:
            runs.append(_first_run(directory))
        bare.append(_interpreter())
    run, interpreter = statistics.median(runs), statistics.median(bare)
    sys.stdout.write(
        f"start to first answered run: {run:.2f} s (bare interpreter {interpreter:.3f} s, ratio {run / interpreter:.0f})\n"
    )


if __name__ == "__main__":
    main()
