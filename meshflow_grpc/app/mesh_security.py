"""How this node proves itself to its peers and they to it, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.config.problem import ConfigProblem, ConfigurationError
from meshflow_grpc.mesh.channel_files import ChannelFiles
from meshflow_grpc.mesh.known_nodes import KnownNodes
from meshflow_grpc.mesh.node_credentials import SignedCalls
from meshflow_grpc.mesh.node_key import NodeKey
from meshflow_grpc.mesh.refusals import Refusals
from meshflow_grpc.rpc.authenticators.node_token import NodesAndUsers, NodeTokenAuthenticator
from meshflow_grpc.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.config import Settings
    from meshflow_grpc.mesh.local_mesh import LocalMesh
    from meshflow_grpc.rpc.interceptors.authentication import Authenticator

_log = structlog.get_logger(__name__)


def _node_key(settings: Settings) -> NodeKey:
    """Returns the key that signs this node's calls: the configured one, else one of this process. Raises ConfigurationError."""
    if settings.mesh_key is None:
        _log.warning("mesh_key_of_this_process", note="a restart changes it", remedy="set MESHFLOW_MESH_KEY_FILE")
        return NodeKey.generate()
    try:
        return NodeKey.parse(settings.mesh_key.get_secret_value())
    except ValueError as error:
        problem = ConfigProblem(
            "MESHFLOW_MESH_KEY", str(error), "correct it, or name its file in MESHFLOW_MESH_KEY_FILE"
        )
        raise ConfigurationError((problem,)) from None


def node_credentials(settings: Settings) -> SignedCalls:
    """Returns what this node shows its peers. Raises ConfigurationError for a key or certificate that cannot be used."""
    files = ChannelFiles(settings.mesh_ca_file, settings.mesh_cert_file, settings.mesh_cert_key_file)
    try:
        files.check()
    except (ValueError, OSError) as error:
        problem = ConfigProblem("MESHFLOW_MESH_CERT_FILE", str(error), "correct the files of the mesh's certificates")
        raise ConfigurationError((problem,)) from None
    allowed = settings.mesh_allow_plaintext
    return SignedCalls(settings.mesh_slug or "", _node_key(settings), files, allow_plaintext=allowed)


def with_nodes(
    settings: Settings, users: Authenticator, mesh: LocalMesh, counted: Callable[[str], None]
) -> Authenticator:
    """Returns an authenticator that also takes the tokens of registered nodes, and tells of those it refuses."""
    nodes = NodeTokenAuthenticator(settings.mesh_slug or "", KnownNodes(mesh.registry))
    return NodesAndUsers(nodes, users, Refusals(mesh.tell, counted, SystemClock()))
