"""Who calls, and may they: established before anything of the request is looked at."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from meshflow_grpc.domain.errors import PermissionDeniedError
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.rpc.authorization import allowed_roles, is_public
from meshflow_grpc.rpc.call import current_call

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from meshflow_grpc.rpc.handler import Context, Streaming, Unary


class Authenticator(Protocol):
    """Turns a call's metadata into a principal."""

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """Raises UnauthenticatedError."""
        ...


class AnonymousAuthenticator:
    """Everyone is the one principal of the default tenant: for loopback and trials; configuration refuses it in production."""

    def __init__(self) -> None:
        self._principal = Principal("anonymous", "default", frozenset({"operator", "approver"}), "none")

    async def authenticate(self, metadata: Mapping[str, str]) -> Principal:
        """See Authenticator."""
        del metadata
        return self._principal


class Authentication:
    """Innermost: handlers run with a principal. Probes, reflection and SystemService are public."""

    name = "authentication"

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def unary(self, method: str, handler: Unary) -> Unary:
        """See handler.Interceptor."""
        if is_public(method):
            return handler
        roles = allowed_roles(method)

        async def call(request: Any, context: Context) -> Any:
            await self._admit(roles)
            return await handler(request, context)

        return call

    def streaming(self, method: str, handler: Streaming) -> Streaming:
        """See handler.Interceptor."""
        if is_public(method):
            return handler
        roles = allowed_roles(method)

        async def call(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            await self._admit(roles)
            async with aclosing(handler(request, context)) as answers:
                async for answer in answers:
                    yield answer

        return call

    async def _admit(self, roles: frozenset[str]) -> None:
        call = current_call()
        principal = await self._authenticator.authenticate(call.metadata)
        if not principal.roles & roles:
            needed = " or ".join(sorted(roles))
            raise PermissionDeniedError(f"this needs the role {needed}", metadata={"roles": needed})
        call.principal = principal
