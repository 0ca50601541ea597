"""GetNodeKeys: what others verify this node's calls with."""

from __future__ import annotations

import json

from meshflow_grpc.commands.mesh_member import MeshCommand


class GetNodeKeysCommand(MeshCommand):
    """Answers from memory. The keys are public: they verify tokens and make none."""

    async def execute(self) -> str:
        """A JSON Web Key Set (RFC 7517, 5). Raises MeshNotConfiguredError."""
        keys = [json.loads(key) for key in self._mesh.public_keys()]
        return json.dumps({"keys": keys}, separators=(",", ":"))
