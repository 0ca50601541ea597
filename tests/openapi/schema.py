"""The document's schemas as validators."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from meshflow_grpc.rpc.servicers.rest import OPENAPI


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of a schema of the document, which may refer to its components."""
    components = json.loads(OPENAPI.read_bytes())["components"]
    return Draft202012Validator({**schema, "components": components})
