"""How often a key may use an endpoint for a project: the names of limits, and where each counts."""

import contextlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from gather_clients.limits.gcra import LIMIT_MAX, Policy

LimitName = Literal[
    "batch", "duplicates", "context", "coverage", "list", "get", "delete", "erase", "limits", "refused"
]
LIMIT_NAMES: Final[tuple[LimitName, ...]] = get_args(LimitName)

DEFAULTS: Final[Mapping[LimitName, Policy]] = MappingProxyType(
    {
        "batch": Policy(per_minute=10, burst=20),
        "duplicates": Policy(per_minute=30, burst=50),
        "context": Policy(per_minute=20, burst=30),
        "coverage": Policy(per_minute=5, burst=10),
        "list": Policy(per_minute=60, burst=120),
        "get": Policy(per_minute=120, burst=200),
        "delete": Policy(per_minute=10, burst=20),
        "erase": Policy(per_minute=2, burst=2),
        "limits": Policy(per_minute=60, burst=120),
        "refused": Policy(per_minute=120, burst=240),
    }
)
"""The first four are required, for each key and project; the next five are ours. "refused" is for a key's
requests that reach no project of its own, of all endpoints together: generous for people who try things out,
and an end to a flood.
"""

NODE_PATH: Final = "/api/v1/nodes/{id}"
PROJECT_PATH: Final = "/api/v1/projects/{projectId}"
ENDPOINTS: Final[Mapping[tuple[str, str], LimitName]] = MappingProxyType(
    {
        ("POST", "/api/v1/nodes/batch"): "batch",
        ("POST", "/api/v1/search/duplicates"): "duplicates",
        ("POST", "/api/v1/search/duplicates/batch"): "duplicates",
        ("POST", "/api/v1/search/similarity"): "duplicates",
        ("GET", "/api/v1/context/department"): "context",
        ("POST", "/api/v1/analyze/coverage"): "coverage",
        ("GET", "/api/v1/nodes"): "list",
        ("GET", NODE_PATH): "get",
        ("DELETE", "/api/v1/nodes"): "delete",
        ("DELETE", PROJECT_PATH): "erase",
        ("GET", "/api/v1/limits"): "limits",
    }
)
"""By method and path; a part in braces stands for any text.

A batch of searches is one request, as a batch of nodes is: limits count requests, batches are welcome.
"""
METHODS: Final = frozenset(method for method, _ in ENDPOINTS)
PATHS: Final[Mapping[str, LimitName]] = MappingProxyType(
    {path: name for (_, path), name in reversed(list(ENDPOINTS.items()))}
)
"""For a request whose method the path does not have: the limit of the first that it has."""


def path_of(path: str) -> str:
    """Return the endpoint's path that a request's path is of, or the request's path if there is none.

    An endpoint without a part in braces goes first: `/api/v1/nodes/batch` is no node.
    """
    if path not in PATHS:
        for template in (NODE_PATH, PROJECT_PATH):
            before, _, _ = template.partition("{")
            if path.startswith(before) and path != before:
                return template
    return path


def limit_of(method: str, path: str) -> LimitName:
    """Return the limit that a request counts in, which for one to no endpoint is "refused"."""
    endpoint = path_of(path)
    return ENDPOINTS.get((method, endpoint)) or PATHS.get(endpoint, "refused")


_WRITTEN: Final = re.compile(r"([a-z]+)=(\d{1,6})/(\d{1,6})")
_LIMIT: Final = TypeAdapter(tuple[LimitName, Policy])


def read_limit(text: str) -> tuple[LimitName, Policy]:
    """Read `name=per_minute/burst`, such as `batch=600/600`.

    Raises:
        ValueError: it is not one; the message shows the form.
    """
    if found := _WRITTEN.fullmatch(text):
        with contextlib.suppress(ValidationError):
            return _LIMIT.validate_python((found[1], {"per_minute": found[2], "burst": found[3]}))
    raise ValueError(f"a limit is NAME=PER_MINUTE/BURST, each 1 to {LIMIT_MAX}, of {', '.join(LIMIT_NAMES)}")


def write_limit(name: LimitName, policy: Policy) -> str:
    """Return the form that `read_limit` reads."""
    return f"{name}={policy.per_minute}/{policy.burst}"
