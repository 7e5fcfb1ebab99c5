"""Names of limits: where each request counts, and how limits are written."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.limits.policy import DEFAULTS, ENDPOINTS, LIMIT_NAMES, limit_of, read_limit, write_limit
from gather_clients.limits.gcra import Policy

POLICIES = st.builds(Policy, per_minute=st.integers(1, 700), burst=st.integers(1, 700))


def test_the_usual_limits_are_the_required_ones() -> None:
    """Requests a minute and burst, for each endpoint."""
    table = {
        f"{method} {path}": (DEFAULTS[name].per_minute, DEFAULTS[name].burst)
        for (method, path), name in ENDPOINTS.items()
    }
    assert table == {
        "POST /api/v1/nodes/batch": (10, 20),
        "POST /api/v1/search/duplicates": (30, 50),
        "POST /api/v1/search/duplicates/batch": (30, 50),
        "POST /api/v1/search/similarity": (30, 50),
        "GET /api/v1/context/department": (20, 30),
        "POST /api/v1/analyze/coverage": (5, 10),
        "GET /api/v1/nodes": (60, 120),
        "GET /api/v1/nodes/{id}": (120, 200),
        "DELETE /api/v1/nodes": (10, 20),
        "DELETE /api/v1/projects/{projectId}": (2, 2),
        "GET /api/v1/limits": (60, 120),
    }


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/api/v1/nodes", "list"),
        ("DELETE", "/api/v1/nodes", "delete"),
        ("PUT", "/api/v1/nodes", "list"),
        ("GET", "/api/v1/nodes/a/b", "get"),
        ("POST", "/api/v1/nodes/batch", "batch"),
        ("GET", "/api/v1/nodes/batch", "batch"),
        ("GET", "/api/v1/nodes/", "refused"),
        ("DELETE", "/api/v1/projects/x", "erase"),
        ("GET", "/api/v1/projects/x", "erase"),
        ("DELETE", "/api/v1/projects", "refused"),
        ("GET", "/api/v1/nope", "refused"),
    ],
)
def test_a_request_counts_in_its_endpoint_s_limit(method: str, path: str, name: str) -> None:
    """Whatever stands in its path; one with another method as the path's first endpoint."""
    assert limit_of(method, path) == name


@given(st.sampled_from(LIMIT_NAMES), POLICIES)
def test_a_limit_is_read_as_it_is_written(name: Any, policy: Policy) -> None:
    """On the command line, and in Neo4j."""
    assert read_limit(write_limit(name, policy)) == (name, policy)


@pytest.mark.parametrize(
    "text", ["", "batch", "batch=1", "batch=0/1", "batch=1/0", "batch=-1/1", "batch=1/100001", "other=1/1"]
)
def test_a_malformed_limit_is_refused_with_the_right_form(text: str) -> None:
    """A typing error must not become a limit."""
    with pytest.raises(ValueError, match=re.escape("NAME=PER_MINUTE/BURST")):
        read_limit(text)
