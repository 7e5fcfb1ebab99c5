"""Names are stable, short enough for Kubernetes, and never collide where they must differ."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_contracts import names

DNS_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
run_names = st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
slugs = st.from_regex(re.compile(names.SLUG_PATTERN.replace("^", r"\A").replace("$", r"\Z")))


@given(run_names, st.uuids().map(str), slugs, st.integers(1, 99))
def test_job_names_are_dns_labels(run_name: str, uid: str, slug: str, attempt: int) -> None:
    """A Job's name becomes a pod's label, which Kubernetes limits to 63 characters."""
    assert DNS_LABEL.match(names.job_name(run_name, uid, slug, attempt))


@given(run_names, st.uuids().map(str))
def test_config_map_names_are_dns_labels(run_name: str, uid: str) -> None:
    """Long run names give way to the hash, not the other way round."""
    assert DNS_LABEL.match(names.run_config_map_name(run_name, uid))


def test_an_idempotency_key_is_of_one_holder_alone() -> None:
    """Whichever separators a key's name holds."""
    pairs = [("a/b", "c"), ("a", "b/c"), ("1/a", "b/c"), ("a/b/c", "d"), ("a\x1fb", "c"), ("a", "b\x1fc")]
    assert len({names.idempotent_task_id(*pair) for pair in pairs}) == len(pairs)


def test_a_recreated_run_gets_other_job_names() -> None:
    """Delete-and-recreate keeps the name and changes the UID; the old Job must never be met again."""
    assert names.job_name("film", "uid-1", "story", 1) != names.job_name("film", "uid-2", "story", 1)


def test_departments_with_a_common_prefix_get_different_job_names() -> None:
    """Slugs are cut to 16 characters in the name; the hash over the whole slug tells them apart."""
    first = names.job_name("film", "uid", "production-design-interiors", 1)
    second = names.job_name("film", "uid", "production-design-exteriors", 1)
    assert first != second


def test_digest_parts_cannot_merge() -> None:
    """("ab", "c") and ("a", "bc") are different inputs."""
    assert names.digest("ab", "c") != names.digest("a", "bc")


def test_item_ids_never_change() -> None:
    """The id is stored in two databases; a changed derivation would write every item twice."""
    assert names.item_id("uid", "story", 1, 0) == "85425cca8ec90c1016c9202d"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("uid", "story", 1, 0), ("uid", "story", 1, 1)),
        (("uid", "story", 1, 0), ("uid", "story", 2, 0)),
        (("uid", "story", 1, 0), ("uid", "sound", 1, 0)),
        (("uid", "story", 1, 0), ("other", "story", 1, 0)),
        (("uid", "story", 1, 11), ("uid", "story", 11, 1)),
    ],
)
def test_item_ids_differ_where_the_origin_differs(
    one: tuple[str, str, int, int], other: tuple[str, str, int, int]
) -> None:
    """Run, department, iteration and slot each count."""
    assert names.item_id(*one) != names.item_id(*other)
