"""Which departments a run works on: the CMS's answer, the user's selection, and what was left out and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gather_contracts.departments import (
    CmsDepartment,
    CoordinationSettings,
    ResolvedDepartment,
    resolve_department,
    resolve_retries,
)
from gather_contracts.resource import DEPARTMENTS_MAX, DepartmentStatus, GatherRun
from gather_contracts.run_document import RunDocument, RunIdentity, fit_texts
from gather_operator.decisions.facts import CmsReading
from gather_operator.decisions.status.conditions import shorten

CUT: Final = "the CMS may have more departments than were read: raise GATHER_CMS_LIMIT or let it page"
NAMED_MAX: Final = 8
"""Departments that one sentence names; a condition holds 256 characters."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The departments in working order, and sentences about those that were left out."""

    departments: tuple[ResolvedDepartment, ...]
    missing: tuple[str, ...] = ()
    """Slugs of the user's selection that the CMS does not name."""
    others: tuple[str, ...] = ()
    """Sentences about departments that were left out for other reasons."""
    notes: tuple[str, ...] = ()
    """Sentences about what was read otherwise than the CMS has it."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the sentences about all departments that were left out."""
        return (*_sentence("not named by the CMS", self.missing), *self.others)

    @property
    def is_complete(self) -> bool:
        """Return whether there are departments, and all of the user's selection."""
        return bool(self.departments) and not self.missing


def resolve(run: GatherRun, reading: CmsReading, default_model: str) -> Resolution:
    """Return the run's departments by `codeDepNumber`, ties by slug; at most `DEPARTMENTS_MAX`."""
    candidates, repeated = _unique(reading.departments)
    wanted, known = dict.fromkeys(run.spec.departments), {d.slug for d in candidates}
    chosen = [d for d in candidates if not wanted or d.slug in wanted]
    kept, beyond = chosen[:DEPARTMENTS_MAX], chosen[DEPARTMENTS_MAX:]
    spec = run.spec
    return Resolution(
        departments=tuple(
            resolve_department(d, spec.quality_threshold, default_model, spec.department_retries)
            for d in kept
        ),
        missing=tuple(slug for slug in wanted if slug not in known),
        others=(
            *_sentence("malformed in the CMS", reading.malformed),
            *_sentence("not published in the CMS", reading.drafts),
            *((CUT,) if reading.is_cut else ()),
            *_sentence("named twice by the CMS", repeated),
            *_sentence(f"beyond the limit of {DEPARTMENTS_MAX}", [d.slug for d in beyond]),
        ),
        notes=(
            *_sentence("left at their defaults, as the CMS's values cannot be used", reading.defaulted),
            *_sentence("longer than is read", reading.shortened),
        ),
    )


def build_document(run: GatherRun, resolution: Resolution, *, has_outbox: bool = False) -> RunDocument:
    """Return `run.json`'s content, within its bound in bytes; the resolution must not be empty."""
    identity = RunIdentity(name=run.metadata.name, namespace=run.metadata.namespace, uid=run.metadata.uid)
    document = RunDocument(
        run=identity,
        # The pods have what they were given; the workers need not know.
        spec=run.spec.model_copy(update={"worker": None}),
        departments=list(resolution.departments),
        left_out=[shorten(sentence) for sentence in resolution.left_out],
        has_outbox=has_outbox and run.spec.webhook_url is not None,
    )
    fitted, shortened = fit_texts(document)
    notes = (*resolution.notes, *_sentence("texts shortened to fit into run.json", shortened))
    return fitted.model_copy(update={"notes": [shorten(sentence) for sentence in notes]})


def restore_departments(run: GatherRun, reading: CmsReading) -> tuple[ResolvedDepartment, ...]:
    """Return the departments that the status already names, for a run whose document was deleted.

    Order, threshold and model stay as they were fixed; description, instructions and retries come from the
    CMS again.
    """
    named = {d.slug: d for d in reading.departments}
    own = {slug: d.coordination_settings or CoordinationSettings() for slug, d in named.items()}
    return tuple(
        ResolvedDepartment(
            slug=d.slug,
            name=d.name,
            description=named[d.slug].description if d.slug in named else "",
            instructions=named[d.slug].instructions if d.slug in named else None,
            code_dep_number=d.code_dep_number,
            threshold=d.threshold,
            model=d.model,
            retries=resolve_retries(
                own[d.slug].max_retries if d.slug in own else None, run.spec.department_retries
            ),
        )
        for d in run.status.departments
    )


def pending_departments(document: RunDocument) -> list[DepartmentStatus]:
    """Return the statuses with which a run's departments begin."""
    return [
        DepartmentStatus(
            slug=d.slug,
            name=d.name,
            code_dep_number=d.code_dep_number,
            threshold=d.threshold,
            model=d.model,
        )
        for d in document.departments
    ]


def _unique(departments: tuple[CmsDepartment, ...]) -> tuple[list[CmsDepartment], list[str]]:
    """Return the departments in working order without repeated slugs, and the slugs that were repeated."""
    ordered = sorted(departments, key=lambda d: (d.code_dep_number, d.slug))
    first = {d.slug: d for d in reversed(ordered)}
    unique = sorted(first.values(), key=lambda d: (d.code_dep_number, d.slug))
    return unique, sorted({d.slug for d in ordered if first[d.slug] is not d})


def listed(names: Sequence[str]) -> str:
    """Return the names for a sentence, some of them where there are many."""
    rest = len(names) - NAMED_MAX
    return ", ".join((*names[:NAMED_MAX], *((f"{rest} more",) if rest > 0 else ())))


def _sentence(why: str, names: Sequence[str]) -> tuple[str, ...]:
    return (f"{why}: {listed(names)}",) if names else ()
