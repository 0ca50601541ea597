"""Whether a model's budget can be held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.ports.provider import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.ports.provider import ModelProvider


def model_check(provider: ModelProvider) -> Callable[[str], None]:
    """Raises ValueError for a model without a price: its budget could not be held."""

    def check(model: str) -> None:
        try:
            provider.price(model or provider.default_model)
        except ProviderError as error:
            raise ValueError(error.message) from error

    return check
