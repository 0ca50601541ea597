"""Prices come from the price data or the operator; a model without one is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.ports.provider import Price, ProviderError, ProviderFault
from meshflow_grpc.providers.anthropic import DEFAULT_MODEL, AnthropicProvider
from meshflow_grpc.providers.pricing import PRICES_EXAMPLE, PriceTable, parse_prices
from meshflow_grpc.providers.token_bound import max_tokens_of


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("claude-sonnet-5-5", Price(2_000, 10_000)),
        ("claude-opus-5-5", Price(4_000, 20_000)),
        ("claude-haiku-4-5-20251001", Price(1_000, 5_000)),
        ("claude-sonnet-4-6", Price(3_000, 15_000)),
        ("claude-haiku-5-5", Price(500, 2_500)),
    ],
    ids=["default", "opus", "dated name", "newest of several", "dearest tier"],
)
def test_published_prices_are_used(model: str, price: Price) -> None:
    """A model costs what is published now, and the dearest tier of it, in nano-USD per token."""
    assert PriceTable("anthropic").price(model) == price


@pytest.mark.parametrize("model", ["", "gpt-nope", "claude-imaginary-9"])
def test_a_model_without_a_price_is_refused(model: str) -> None:
    """The error says which setting to make."""
    with pytest.raises(ProviderError, match="MESHFLOW_MODEL_PRICES") as caught:
        PriceTable("anthropic").price(model)

    assert (caught.value.fault, caught.value.retryable) == (ProviderFault.INVALID, False)


def test_the_operators_price_wins() -> None:
    """A price that is set replaces the published one and makes an unknown model usable; parts of a nano-USD count as one."""
    own = parse_prices(
        '{"claude-sonnet-5-5": {"input_usd_per_mtok": 0.0001, "output_usd_per_mtok": "7.25"},'
        ' "mine": {"input_usd_per_mtok": 0, "output_usd_per_mtok": 1}}'
    )

    table = PriceTable("anthropic", own)

    assert table.price("claude-sonnet-5-5") == Price(1, 7_250)
    assert table.price("mine") == Price(0, 1_000)


def test_the_example_of_the_message_is_valid() -> None:
    """What an error tells people to write can be read."""
    assert parse_prices(PRICES_EXAMPLE) == {"my-model": Price(3_000, 15_000)}
    assert parse_prices(" ") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"m": 3}', "'m': expected exactly input_usd_per_mtok and output_usd_per_mtok"),
        ('{"m": {"input_usd_per_mtok": 3}}', "expected exactly"),
        ('{"m": {"input_usd_per_mtok": -1, "output_usd_per_mtok": 1}}', "input_usd_per_mtok must be US dollars"),
        ('{"m": {"input_usd_per_mtok": 1, "output_usd_per_mtok": true}}', "output_usd_per_mtok must be US dollars"),
        ('{"m": {"input_usd_per_mtok": "NaN", "output_usd_per_mtok": 1}}', "input_usd_per_mtok must be US dollars"),
        ('{"m": {"input_usd_per_mtok": "three", "output_usd_per_mtok": 1}}', "input_usd_per_mtok must be US dollars"),
    ],
)
def test_wrong_prices_are_refused(text: str, words: str) -> None:
    """A wrong setting names the model and field."""
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_prices(text)


@given(st.text())
def test_the_bound_holds_for_any_text(text: str) -> None:
    """There is room for one token for each byte of UTF-8, whatever the script."""
    assert max_tokens_of(text) >= len(text.encode("utf-8", "surrogatepass"))


async def test_a_provider_that_could_not_work_is_not_made() -> None:
    """An empty key or a default model without a price is refused when the service starts, and the defaults are fine."""
    with pytest.raises(ValueError, match="key is empty"):
        AnthropicProvider(api_key="")
    with pytest.raises(ValueError, match="MESHFLOW_MODEL_PRICES"):
        AnthropicProvider(api_key="k", default_model="mine")
    provider = AnthropicProvider(api_key="k", default_model="mine", prices={"mine": Price(1, 2)})

    assert (provider.name, provider.default_model, provider.price("mine")) == ("anthropic", "mine", Price(1, 2))
    assert provider.price(DEFAULT_MODEL) == Price(2_000, 10_000)
    assert provider.max_input_tokens("abc") == max_tokens_of("abc")
    await provider.close()
