"""docs/faults.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_named_in_the_table_of_faults_exists() -> None:
    """A row whose test was renamed or removed would promise what nobody checks."""
    text = (ROOT / "docs" / "faults.md").read_text("utf-8")
    named = set(re.findall(r"`((?:tests|benchmarks)[/.][\w/.]+)", text)) | {
        name.replace(".", "/") + ".py" for name in re.findall(r"python -m (benchmarks\.\w+)", text)
    }
    assert len(named) > 30
    assert {name for name in named if not (ROOT / name).exists()} == set()
