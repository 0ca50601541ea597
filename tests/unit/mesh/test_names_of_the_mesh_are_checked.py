"""Slugs, concerns and endpoints are checked where they come in."""

from __future__ import annotations

import pytest

from meshflow_grpc.config.mesh import MeshSettings
from meshflow_grpc.domain.mesh import (
    MAX_CONCERNS,
    Concern,
    concerns_problem,
    endpoint_problem,
    parse_concerns,
    slug_problem,
)


@pytest.mark.parametrize("slug", ["build.ai", "a", "node-1.eu.example", "x" * 63])
def test_slugs_are_lower_case_words_joined_by_dots(slug: str) -> None:
    """Names as hosts have them."""
    assert slug_problem(slug) is None


@pytest.mark.parametrize("slug", ["", "Build.ai", ".ai", "a..b", "-a", "a-", "a b", "a/b", "a" * 101, "a\n"])
def test_other_slugs_are_refused(slug: str) -> None:
    """With the rule, so that the mistake can be seen."""
    assert "build.ai" in str(slug_problem(slug))


@pytest.mark.parametrize("endpoint", ["127.0.0.1:8765", "build.internal:1", "[::1]:65535", "build_1:80"])
def test_endpoints_are_host_and_port(endpoint: str) -> None:
    """Names, IPv4 and bracketed IPv6."""
    assert endpoint_problem(endpoint) is None


@pytest.mark.parametrize(
    "endpoint", ["", ":80", "host", "host:0", "host:65536", "::1:80", "http://host:80", "unix:/x", "h:80\n"]
)
def test_other_endpoints_are_refused(endpoint: str) -> None:
    """No scheme, no path, no socket of this machine."""
    assert endpoint_problem(endpoint) is not None


def test_concerns_have_a_priority_of_zero_unless_they_say() -> None:
    """The order is kept."""
    assert parse_concerns("build:10, review") == (Concern("build", 10), Concern("review", 0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("build:high", "whole number"),
        ("build:-1", "whole number"),
        ("build:²", "whole number"),
        ("build,build:2", "twice"),
        ("Build", "lower-case"),
        ("build:1000001", "priority"),
    ],
)
def test_concerns_that_are_no_concerns_are_refused(text: str, said: str) -> None:
    """What is wrong is said."""
    with pytest.raises(ValueError, match=said):
        parse_concerns(text)


def test_concerns_are_bounded() -> None:
    """One more than the limit is refused, and the limit named."""
    many = tuple(Concern(f"c{n}") for n in range(MAX_CONCERNS + 1))

    assert str(MAX_CONCERNS) in str(concerns_problem(many))
    assert concerns_problem(many[1:]) is None


def test_the_intervals_are_those_of_the_course() -> None:
    """Checks every 30 s that may take 5 s, 3 failures; breakers open for 60 s after 5 failures."""
    settings = MeshSettings(mesh_slug="build.ai")

    assert (settings.mesh_check_interval_s, settings.mesh_check_timeout_s, settings.mesh_check_failures) == (30, 5, 3)
    assert (settings.mesh_breaker_failures, settings.mesh_breaker_open_s, settings.mesh_ttl_s) == (5, 60, 30)
    assert settings.problems() == ()


def test_settings_of_a_node_without_a_name_are_refused() -> None:
    """They would do nothing."""
    (problem,) = MeshSettings(mesh_concerns="build:10").problems()

    assert problem.variable == "MESHFLOW_MESH_CONCERNS"
    assert "MESHFLOW_MESH_SLUG" in problem.what
