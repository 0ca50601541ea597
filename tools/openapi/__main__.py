"""Writes the OpenAPI document: `python -m tools.openapi DESCRIPTORS TARGET`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.openapi.document import openapi_json


def main() -> None:
    """Reads a serialized FileDescriptorSet that holds comments, and writes the document made of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("descriptors", type=Path, help="FileDescriptorSet made with --include_source_info")
    parser.add_argument("target", type=Path, help="file to write")
    arguments = parser.parse_args()
    arguments.target.write_bytes(openapi_json(arguments.descriptors.read_bytes()))


if __name__ == "__main__":
    main()
