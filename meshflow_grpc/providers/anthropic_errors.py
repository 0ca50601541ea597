"""From the exceptions of the Anthropic SDK to ProviderError. Texts carry no key, header or address."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx2
from anthropic import APIStatusError, APITimeoutError

from meshflow_grpc.ports.provider import ProviderError, ProviderFault

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REASON_CHARS = 300
# The kind of an error decides before its status: an error inside a stream comes with status 200.
# Source: API reference, "Errors".
_BY_KIND: Mapping[str, tuple[ProviderFault, bool]] = {
    "invalid_request_error": (ProviderFault.INVALID, False),
    "not_found_error": (ProviderFault.INVALID, False),
    "request_too_large": (ProviderFault.INVALID, False),
    "authentication_error": (ProviderFault.AUTHENTICATION, False),
    "permission_error": (ProviderFault.AUTHENTICATION, False),
    "billing_error": (ProviderFault.AUTHENTICATION, False),
    "rate_limit_error": (ProviderFault.RATE_LIMITED, True),
    "overloaded_error": (ProviderFault.OVERLOADED, True),
    "timeout_error": (ProviderFault.TIMEOUT, True),
    "api_error": (ProviderFault.FAILED, True),
}
_BY_STATUS: Mapping[int, tuple[ProviderFault, bool]] = {
    401: (ProviderFault.AUTHENTICATION, False),
    402: (ProviderFault.AUTHENTICATION, False),
    403: (ProviderFault.AUTHENTICATION, False),
    408: (ProviderFault.TIMEOUT, True),
    409: (ProviderFault.FAILED, True),
    429: (ProviderFault.RATE_LIMITED, True),
    503: (ProviderFault.OVERLOADED, True),
    504: (ProviderFault.TIMEOUT, True),
    529: (ProviderFault.OVERLOADED, True),
}
# Nothing was sent yet, so nothing can be billed.
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_KEY_LIKE = re.compile(r"sk-[A-Za-z0-9_-]{8,}")


def provider_error(error: Exception, *, secret: str, started: bool = False) -> ProviderError:
    """Returns the fault behind an SDK exception. Once the answer had ``started`` it is FAILED, since the work may be billed."""
    found = _fault(error, secret)
    if started and found.fault is not ProviderFault.TIMEOUT:
        found = ProviderError(
            ProviderFault.FAILED,
            f"the answer broke off: {found.message}",
            retryable=found.retryable,
            retry_after_s=found.retry_after_s,
        )
    return found


def _fault(error: Exception, secret: str) -> ProviderError:
    if isinstance(error, APIStatusError):
        return _of_status(error, secret)
    cause = error.__cause__ if isinstance(error.__cause__, httpx2.HTTPError) else error
    if isinstance(cause, _UNSENT):
        return ProviderError(ProviderFault.UNREACHABLE, "no connection to the provider", retryable=True)
    if isinstance(cause, httpx2.TimeoutException | APITimeoutError):
        return ProviderError(ProviderFault.TIMEOUT, "the provider fell silent for too long", retryable=True)
    if isinstance(cause, httpx2.HTTPError):
        return ProviderError(ProviderFault.FAILED, "the connection to the provider broke", retryable=True)
    return ProviderError(ProviderFault.FAILED, f"the provider call failed ({type(error).__name__})", retryable=False)


def _of_status(error: APIStatusError, secret: str) -> ProviderError:
    status = error.status_code
    default = (ProviderFault.FAILED, True) if status >= 500 or status < 400 else (ProviderFault.INVALID, False)
    fault, retryable = _BY_KIND.get(error.type or "", _BY_STATUS.get(status, default))
    if error.response.headers.get("x-should-retry") == "false":
        retryable = False
    return ProviderError(fault, _text(error, fault, secret), retryable=retryable, retry_after_s=_retry_after_s(error))


def _text(error: APIStatusError, fault: ProviderFault, secret: str) -> str:
    what = error.type or f"HTTP {error.status_code}"
    reason = error.api_message if isinstance(error.api_message, str) else ""
    if fault is ProviderFault.AUTHENTICATION:
        reason = "the provider refuses the key or the account; check ANTHROPIC_API_KEY and its permissions"
    reason = _KEY_LIKE.sub("[key]", reason.replace(secret, "[key]"))
    reason = " ".join(reason.split())[:MAX_REASON_CHARS]
    return f"{what}: {reason}" if reason else what


def _retry_after_s(error: APIStatusError) -> float | None:
    """Seconds of ``retry-after``, given in seconds or as a date (RFC 9110, 10.2.3) to be read against the answer's own date."""
    value = error.response.headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        now = parsedate_to_datetime(error.response.headers.get("date", ""))
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None
