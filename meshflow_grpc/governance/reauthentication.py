"""How old a proof of identity may be under a compliance profile, and how entries say how old it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.errors import ReauthenticationRequiredError

if TYPE_CHECKING:
    from collections.abc import Collection

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Principal

HELD: Final = "hipaa"
AGE: Final = "auth_age_s"
BOUND: Final = "auth_age_max_s"


@dataclass(frozen=True, slots=True)
class Reauthentication:
    """The oldest proof of identity, in seconds, that starts a run or decides an approval under profile hipaa."""

    max_age_s: int = 3600

    def actor(self, principal: Principal, profiles: Collection[str], now: str) -> dict[str, JsonValue]:
        """Who acts, as the entry says it, with the age of the proof where the credential tells it.

        Raises ReauthenticationRequiredError when a profile demands a newer one.
        """
        facts: dict[str, JsonValue] = {"principal": principal.id, "auth": principal.method}
        age = age_s(principal, now)
        if age is None:
            return facts
        facts[AGE] = age
        if HELD not in profiles:
            return facts
        if age > self.max_age_s:
            raise ReauthenticationRequiredError(
                f"the caller proved who they are {age} s ago, and profile {HELD} takes at most {self.max_age_s} s; sign in again",
                metadata={AGE: str(age), BOUND: str(self.max_age_s)},
            )
        return {**facts, BOUND: self.max_age_s}


def age_s(principal: Principal, now: str) -> int | None:
    """Whole seconds since the caller signed in; None for credentials that do not say, such as API keys."""
    if principal.auth_time is None:
        return None
    return max(0, int(datetime.fromisoformat(now).timestamp() - principal.auth_time))
