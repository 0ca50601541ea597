"""Settings of how nodes prove themselves to each other."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from meshflow_grpc.config.mesh import MeshSettings
from meshflow_grpc.config.problem import ConfigProblem
from meshflow_grpc.domain.address import is_loopback


class MeshSecuritySettings(MeshSettings):
    """The key that signs this node's calls, and the certificates of its channels."""

    mesh_key: SecretStr | None = Field(
        default=None,
        description="Ed25519 key (PEM) that proves to peers which node calls; unset: one of the process. Secret.",
    )
    mesh_ca_file: Path | None = Field(
        default=None,
        description="Authorities (PEM) that peers' certificates must come from; unset: the system's.",
    )
    mesh_cert_file: Path | None = Field(
        default=None, description="This node's certificate (PEM), for peers that ask callers for one."
    )
    mesh_cert_key_file: Path | None = Field(default=None, description="Key (PEM) of this node's certificate.")
    mesh_allow_plaintext: bool = Field(
        default=False,
        description="`1`: nodes speak without TLS beyond this machine too, because something else encrypts between them.",
    )

    @field_validator("mesh_ca_file", "mesh_cert_file", "mesh_cert_key_file")
    @classmethod
    def _is_a_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"no file at {value}")
        return value

    def problems(self) -> tuple[ConfigProblem, ...]:
        """Returns also half a certificate, and a production node without a key of its own."""
        found = list(super().problems())
        pair = {"mesh_cert_file", "mesh_cert_key_file"}
        if len(pair & self.model_fields_set) == 1:
            (missing,) = pair - self.model_fields_set
            what = "missing: certificate and key go together"
            found.append(ConfigProblem(f"MESHFLOW_{missing.upper()}", what, "set both"))
        if self.mesh_slug is not None and self.mesh_key is None and vars(self).get("env") == "production":
            found.append(
                ConfigProblem(
                    "MESHFLOW_MESH_KEY",
                    "a node in production signs its calls with a key of its own, and there is none",
                    "make one with `openssl genpkey -algorithm ed25519` and set MESHFLOW_MESH_KEY_FILE to its file",
                )
            )
        return tuple(found)

    def mesh_warnings(self, host: str) -> tuple[str, ...]:
        """Returns that peers reach this node without TLS, where that is allowed and it listens to more than its own machine."""
        if not self.mesh_allow_plaintext or not self._in_the_clear(host):
            return ()
        told = "its peers' tokens and tasks cross the network in the clear, unless something else encrypts them"
        return (f"node {self.mesh_slug} listens on {host} without TLS: {told}",)

    def endpoint_problems(self, host: str) -> tuple[ConfigProblem, ...]:
        """Returns also that peers would reach this node without TLS, unless that is allowed."""
        found = super().endpoint_problems(host)
        if self.mesh_allow_plaintext or not self._in_the_clear(host):
            return found
        what = (
            f"missing: node {self.mesh_slug} listens on {host}, and its peers' tokens and tasks would cross the network "
            "in the clear"
        )
        fix = "set it and MESHFLOW_TLS_KEY_FILE, or MESHFLOW_MESH_ALLOW_PLAINTEXT=1 where something else encrypts"
        return (*found, ConfigProblem("MESHFLOW_TLS_CERT_FILE", what, fix))

    def _in_the_clear(self, host: str) -> bool:
        return self.mesh_slug is not None and not self.uses_tls and not is_loopback(host)
