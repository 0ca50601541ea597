"""The type of a JSON document, and a text as one: ``json_string`` is what the standard encoder calls without ``ensure_ascii``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring as json_string
from typing import TypeAlias, Union

JsonValue: TypeAlias = Union[bool, int, float, str, Sequence["JsonValue"], Mapping[str, "JsonValue"], None]  # noqa: UP007 - "|" cannot join forward references

__all__ = ["JsonValue", "json_string"]
