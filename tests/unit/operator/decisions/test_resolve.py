"""Which departments a run works on, in which order, and what is said of the others."""

from typing import Any

import pytest

from gather_contracts.departments import DESCRIPTION_MAX, CmsDepartment, CoordinationSettings
from gather_contracts.resource import DEPARTMENTS_MAX
from gather_contracts.run_document import (
    NOTES_BYTES,
    RUN_DOCUMENT_MAX_BYTES,
    decode_run_document,
    encode_run_document,
)
from gather_operator.decisions.facts import CmsReading
from gather_operator.decisions.resolve import (
    NAMED_MAX,
    build_document,
    listed,
    resolve,
    restore_departments,
)


def department(slug: str, number: int, **fields: Any) -> CmsDepartment:
    return CmsDepartment(id=slug, slug=slug, name=slug, code_dep_number=number, **fields)


def slugs(build: Any, *departments: CmsDepartment, **spec: Any) -> list[str]:
    resolution = resolve(build.run(spec=spec), CmsReading(departments), "m")
    return [d.slug for d in resolution.departments]


def test_the_order_is_the_cms_s_number_then_the_slug(build: Any) -> None:
    """Ties must not depend on the answer's order."""
    given = (department("b", 2), department("c", 1), department("a", 2))
    assert slugs(build, *given) == slugs(build, *reversed(given)) == ["c", "a", "b"]


def test_a_selection_filters_and_keeps_the_cms_s_order(build: Any) -> None:
    """The user's order does not count."""
    given = [department(s, i) for i, s in enumerate("abcd")]
    assert slugs(build, *given, departments=["d", "b"]) == ["b", "d"]


def test_a_department_s_own_threshold_and_model_go_first(build: Any) -> None:
    """Zero is a threshold, not "unset"."""
    own = CoordinationSettings(quality_threshold=0)
    given = CmsReading(
        (department("a", 1, coordination_settings=own, default_model="x/y"), department("b", 2))
    )
    first, second = resolve(build.run(spec={"qualityThreshold": 70}), given, "fallback/model").departments
    assert (first.threshold, first.model) == (0, "x/y")
    assert (second.threshold, second.model) == (70, "fallback/model")


@pytest.mark.parametrize(
    ("settings", "threshold"),
    [
        ({"qualityThreshold": 90, "minQualityThreshold": 85}, 90),
        ({"qualityThreshold": 0, "minQualityThreshold": 85}, 0),
        ({"minQualityThreshold": 85}, 85),
        ({"minQualityThreshold": 0}, 0),
        ({"allowParallelExecution": True}, 70),
        ({}, 70),
    ],
    ids=str,
)
def test_gather_s_own_threshold_goes_before_the_application_s(
    build: Any, settings: dict[str, Any], threshold: float
) -> None:
    """And both before the run's."""
    own = CoordinationSettings.model_validate(settings)
    given = CmsReading((department("a", 1, coordination_settings=own),))
    (resolved,) = resolve(build.run(spec={"qualityThreshold": 70}), given, "m").departments
    assert resolved.threshold == threshold


@pytest.mark.parametrize(
    ("run", "cms", "retries"),
    [
        pytest.param(5, 1, 5, id="the run says it"),
        pytest.param(0, 7, 0, id="the run says none"),
        pytest.param(3, 7, 3, id="the run says the default"),
        pytest.param(None, 7, 7, id="the CMS says it"),
        pytest.param(None, 0, 0, id="the CMS says none"),
        pytest.param(None, 50, 10, id="the CMS says more than a run may"),
        pytest.param(None, None, 3, id="nobody says it"),
    ],
)
def test_retries_are_the_run_s_then_the_department_s_then_three(
    build: Any, run: int | None, cms: int | None, retries: int
) -> None:
    """Also in a document that was written again, in which the other departments keep their own."""
    own = CoordinationSettings(max_retries=cms)
    given = CmsReading((department("a", 1, coordination_settings=own), department("b", 2)))
    spec = {} if run is None else {"departmentRetries": run}
    first, second = resolve(build.run(spec=spec), given, "m").departments
    assert (first.retries, second.retries) == (retries, 3 if run is None else run)
    begun = build.run(spec=spec, status={"departments": build.departments("a", "b")})
    assert [d.retries for d in restore_departments(begun, given)] == [first.retries, second.retries]


def test_a_slug_named_twice_is_worked_on_once(build: Any) -> None:
    """The first in order wins, and the other is said."""
    given = CmsReading((department("a", 5), department("a", 1), department("b", 2)))
    resolution = resolve(build.run(), given, "m")
    assert [(d.slug, d.code_dep_number) for d in resolution.departments] == [("a", 1), ("b", 2)]
    assert resolution.left_out == ("named twice by the CMS: a",)


def test_more_departments_than_a_run_can_hold_are_said(build: Any) -> None:
    """Never silently."""
    given = CmsReading(tuple(department(f"d{i:02}", i) for i in range(DEPARTMENTS_MAX + 2)))
    resolution = resolve(build.run(), given, "m")
    assert len(resolution.departments) == DEPARTMENTS_MAX
    assert resolution.left_out == (f"beyond the limit of {DEPARTMENTS_MAX}: d32, d33",)


def test_departments_that_were_not_read_are_said(build: Any) -> None:
    """With what helps; the run's condition shows it."""
    resolution = resolve(build.run(), CmsReading((department("a", 1),), is_cut=True), "m")
    (sentence,) = resolution.left_out
    assert sentence.startswith("the CMS may have more departments than were read: raise GATHER_CMS_LIMIT")


def test_only_some_of_many_departments_are_named() -> None:
    """A condition holds 256 characters."""
    assert listed([f"d{i}" for i in range(NAMED_MAX)]) == "d0, d1, d2, d3, d4, d5, d6, d7"
    assert listed([f"d{i}" for i in range(20)]).endswith("d7, 12 more")


def test_departments_that_were_never_published_are_said(build: Any) -> None:
    """Else an editor would look for the mistake in Gather."""
    given = CmsReading((department("a", 1),), drafts=("b",))
    assert resolve(build.run(), given, "m").left_out == ("not published in the CMS: b",)


@pytest.mark.parametrize("letter", ["d", "界", "😀", '"', "\\"], ids=ascii)
def test_the_largest_document_can_be_read_by_the_worker(build: Any, letter: str) -> None:
    """32 descriptions of 8,192 characters, however many bytes each needs; what was shortened is said."""
    given = CmsReading(
        tuple(department(f"d{i:02}", i, description=letter * DESCRIPTION_MAX) for i in range(DEPARTMENTS_MAX))
    )
    document = build_document(build.run(), resolve(build.run(), given, "m"))
    text = encode_run_document(document)
    assert len(text.encode()) <= RUN_DOCUMENT_MAX_BYTES
    assert decode_run_document(text) == document
    (length,) = {len(d.description) for d in document.departments}
    if letter == "😀":
        assert 7_000 < length < DESCRIPTION_MAX
        assert document.notes[0].startswith("texts shortened to fit into run.json: d00, d01")
    else:
        assert (length, document.notes) == (DESCRIPTION_MAX, [])


def test_short_descriptions_are_not_shortened_for_long_ones(build: Any) -> None:
    """What they leave over goes to the others, each its fair share."""
    given = CmsReading(
        tuple(
            department(f"d{i:02}", i, description=("short" if i < 4 else "😀" * DESCRIPTION_MAX))
            for i in range(DEPARTMENTS_MAX)
        )
    )
    document = build_document(build.run(), resolve(build.run(), given, "m"))
    lengths = [len(d.description) for d in document.departments]
    assert lengths[:4] == [5] * 4
    assert set(lengths[4:]) == {lengths[4]}
    assert RUN_DOCUMENT_MAX_BYTES - len(encode_run_document(document).encode()) < NOTES_BYTES


def test_what_was_left_out_fits_into_the_document(build: Any) -> None:
    """However much the CMS got wrong."""
    given = CmsReading((department("a", 1),), tuple(f"bad-{i}" * 10 for i in range(50)))
    document = build_document(build.run(), resolve(build.run(), given, "m"))
    assert all(len(sentence) <= 256 for sentence in document.left_out)
