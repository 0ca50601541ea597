"""Names say what a thing is; drawers for leftovers and unfinished work have no place."""

from __future__ import annotations

import re

from tests.architecture.repository import ROOT, committed_files, handwritten_python, shown

DRAWERS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "stuff",
    "sprint",
    "gap",
    "v2",
    "new",
    "old",
}
UNFINISHED = re.compile("|".join(rf"\b{left}{right}\b" for left, right in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"))))


def test_no_path_is_named_like_a_drawer() -> None:
    """No Python file or folder is called utils, helpers, common, manager, v2 or the like."""
    named = {
        shown(path)
        for path in handwritten_python()
        for part in path.relative_to(ROOT).with_suffix("").parts
        if DRAWERS & set(part.split("_"))
    }

    assert named == set()


def test_nothing_committed_is_marked_as_unfinished() -> None:
    """No source file carries a marker for work left to do."""
    sources = [path for path in committed_files() if path.suffix in {".py", ".proto", ".go", ".java", ".ts", ".sql"}]

    assert [shown(path) for path in sources if UNFINISHED.search(path.read_text())] == []
