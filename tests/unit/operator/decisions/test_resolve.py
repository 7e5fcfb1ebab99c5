"""Which departments a run works on, in which order, and what is said of the others."""

from typing import Any

from gather_contracts.departments import CmsDepartment, CoordinationSettings
from gather_contracts.resource import DEPARTMENTS_MAX
from gather_operator.decisions.facts import CmsReading
from gather_operator.decisions.resolve import build_document, resolve


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


def test_what_was_left_out_fits_into_the_document(build: Any) -> None:
    """However much the CMS got wrong."""
    given = CmsReading((department("a", 1),), tuple(f"bad-{i}" * 10 for i in range(50)))
    document = build_document(build.run(), resolve(build.run(), given, "m"))
    assert all(len(sentence) <= 256 for sentence in document.left_out)
