"""What models cost: the prices of the ``genai-prices`` package as installed (MIT, read offline), and the operator's own.

The table is the one of the locked version; nothing is fetched while running, so that a run costs today what it cost in the test.
"""

from __future__ import annotations

import json
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import TYPE_CHECKING

from meshflow_grpc.ports.provider import Price, ProviderError, ProviderFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_prices.types import ModelPrice, Provider, TieredPrices

PRICES_SETTING = "MESHFLOW_MODEL_PRICES"
PRICES_EXAMPLE = '{"my-model": {"input_usd_per_mtok": "3", "output_usd_per_mtok": "15"}}'
# One USD per million tokens is 1000 nano-USD per token.
NANO_USD_PER_TOKEN = 1000
MAX_USD_PER_MTOK = 1_000_000
_FIELDS = ("input_usd_per_mtok", "output_usd_per_mtok")


class PriceTable:
    """Prices of one provider's models. A model in ``own`` costs what is said there, whatever the package says.

    Raises ValueError when the package does not know the provider.
    """

    def __init__(self, provider_id: str, own: Mapping[str, Price] | None = None) -> None:
        from genai_prices.data import providers

        self._provider: Provider | None = next((each for each in providers if each.id == provider_id), None)
        if self._provider is None:
            raise ValueError(f"genai-prices knows no provider {provider_id!r}")
        self._known: dict[str, Price] = dict(own or {})

    def price(self, model: str) -> Price:
        """Returns the price of a model.

        Raises ProviderError (INVALID) when there is none, since a budget could not be held. Where a model costs more for long
        prompts, or cost something else in the past, the dearest tier of the newest price counts.
        """
        found = self._known.get(model)
        if found is None:
            found = self._known[model] = self._published(model)
        return found

    def _published(self, model: str) -> Price:
        info = self._provider.find_model(model) if self._provider and model else None
        if info is None:
            raise _unknown(model)
        prices = info.prices[-1].prices if isinstance(info.prices, list) else info.prices
        return _price(model, prices)


def _price(model: str, prices: ModelPrice) -> Price:
    if prices.input_mtok is None or prices.output_mtok is None:
        raise _unknown(model)
    return Price(_nano_usd(_dearest(prices.input_mtok)), _nano_usd(_dearest(prices.output_mtok)))


def _dearest(price: Decimal | TieredPrices) -> Decimal:
    return price if isinstance(price, Decimal) else max(price.base, *(tier.price for tier in price.tiers))


def _nano_usd(usd_per_mtok: Decimal) -> int:
    return int((usd_per_mtok * NANO_USD_PER_TOKEN).to_integral_value(ROUND_CEILING))


def _unknown(model: str) -> ProviderError:
    message = (
        f"no price is known for model {model!r}, so no budget can be held; set {PRICES_SETTING}, like {PRICES_EXAMPLE}"
    )
    return ProviderError(ProviderFault.INVALID, message, retryable=False)


def parse_prices(text: str) -> dict[str, Price]:
    """Reads the operator's prices, a JSON object by model name; empty text is no prices.

    Raises ValueError naming the model and field that are wrong, and how to write them.
    """
    if not text.strip():
        return {}
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ValueError(f"not a JSON object; write it like {PRICES_EXAMPLE}")
    return {model: _own_price(model, fields) for model, fields in document.items()}


def _own_price(model: str, fields: object) -> Price:
    if not model or not isinstance(fields, dict) or set(fields) != set(_FIELDS):
        raise ValueError(f"{model!r}: expected exactly {' and '.join(_FIELDS)}, like {PRICES_EXAMPLE}")
    amounts = [_amount(model, name, fields[name]) for name in _FIELDS]
    return Price(*map(_nano_usd, amounts))


def _amount(model: str, name: str, value: object) -> Decimal:
    try:
        amount = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not 0 <= amount <= MAX_USD_PER_MTOK:
        raise ValueError(f"{model!r}: {name} must be US dollars per million tokens, 0 to {MAX_USD_PER_MTOK}")
    return amount
