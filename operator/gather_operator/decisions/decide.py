"""What to do next for one run: a pure function of what is known.

It is asked again after every change and every few seconds, remembers nothing, and names everything that it
creates by rule; so it does not matter at which point its operator was killed.
"""

from dataclasses import replace
from typing import Final

from gather_contracts.reasons import ConditionType, RunPhase
from gather_contracts.resource import GatherRun, GatherRunStatus
from gather_operator.decisions.actions import (
    Decision,
    HoldFinalizer,
    ReleaseFinalizer,
    WriteDocument,
)
from gather_operator.decisions.assessment import (
    assess,
    gather_departments,
    gives_up,
)
from gather_operator.decisions.facts import CmsFailure, CmsReading, CmsSilence, RunSnapshot
from gather_operator.decisions.resolve import (
    Resolution,
    build_document,
    pending_departments,
    resolve,
    restore_departments,
)
from gather_operator.decisions.starting import start_next
from gather_operator.decisions.status.run_status import (
    asking_cms,
    build_status,
    resumed,
    waiting_for_cms,
    waiting_for_departments,
    without_departments,
    working,
)
from gather_operator.decisions.stop import decide_stop, end_given_up, end_lingering
from gather_operator.decisions.suspend import decide_suspension, resumptions

SILENCE_SAID_S: Final = 1.0
"""A CMS that answers sooner costs the run no status of its own."""


def decide(snapshot: RunSnapshot) -> Decision:
    """Return what to do for the run, and the status that holds once it is done."""
    run = snapshot.run
    if run.status.phase.is_final:
        # Nothing is left to stop; until its events are published, it must be there.
        may_go = run.is_held and snapshot.has_published_all
        return Decision(run.status, (ReleaseFinalizer(),) if may_go else ())
    if run.is_being_deleted:
        return decide_stop(snapshot) if run.is_held else Decision(run.status)
    if not run.is_held:
        return Decision(build_status(snapshot), (HoldFinalizer(),))
    if run.spec.cancel:
        return decide_stop(snapshot)
    if run.spec.suspend:
        return decide_suspension(snapshot)
    if run.status.phase is RunPhase.SUSPENDED:
        snapshot = replace(snapshot, run=run.model_copy(update={"status": resumed(run.status)}))
    return _decide_progress(snapshot)


def _decide_progress(snapshot: RunSnapshot) -> Decision:
    """Return what brings the run forward, whose departments may or may not be fixed yet."""
    run = snapshot.run
    if snapshot.document is None:
        return _decide_acceptance(snapshot)
    # Without departments in the status the operator was killed, or held back by the throttle, after it wrote
    # the document: the document is the truth.
    written = run.status.departments or pending_departments(snapshot.document)
    known = gather_departments(snapshot, written)
    assessed = [assess(d, snapshot.now) for d in known]
    if any(gives_up(*pair) for pair in zip(known, assessed, strict=True)):
        # Said before it is done: a Job that is gone says no more why its department failed.
        return Decision(working(snapshot, snapshot.document, assessed, is_stopping=True))
    departments, starting = start_next(snapshot, known, assessed)
    status = working(snapshot, snapshot.document, departments)
    ending = (*end_lingering(snapshot), *end_given_up(known))
    actions = (*resumptions(snapshot, known, assessed), *ending, *starting)
    if not actions:
        return Decision(status)
    document = snapshot.document

    def observe() -> GatherRunStatus:
        observed = working(snapshot, document, assessed)
        # Nobody looks at the pods of a run that has ended.
        return run.status if ending and observed.phase.is_final else observed

    return Decision(status, actions, observe)


def needs_cms(run: GatherRun, *, has_document: bool) -> bool:
    """Return whether the departments have to be asked for."""
    is_waiting = not (run.status.phase.is_final or run.is_to_stop or run.spec.suspend)
    return is_waiting and not has_document and run.is_held


def _decide_acceptance(snapshot: RunSnapshot) -> Decision:
    """Fix the departments as the CMS names them; a document that was deleted is restored from the status."""
    run, cms = snapshot.run, snapshot.cms
    if cms is None or isinstance(cms, CmsSilence):
        return Decision(_unanswered(snapshot, cms))
    if isinstance(cms, CmsFailure):
        return Decision(waiting_for_cms(snapshot, cms.message))
    if run.status.departments:
        return _restore(snapshot, cms)
    resolution = resolve(run, cms, snapshot.default_model)
    if not (resolution.is_complete or cms.is_last):
        return Decision(waiting_for_departments(snapshot, resolution))
    if not resolution.departments:
        return Decision(without_departments(snapshot, resolution.left_out))
    document = build_document(run, resolution, has_outbox=snapshot.has_outbox)
    accepted = working(snapshot, document, pending_departments(document))
    return Decision(accepted, (WriteDocument(document),), lambda: build_status(snapshot))


def _restore(snapshot: RunSnapshot, cms: CmsReading) -> Decision:
    """Write the document again once the CMS names the run's departments, or will not name them any more."""
    run = snapshot.run
    if not (cms.is_last or {d.slug for d in run.status.departments} <= {d.slug for d in cms.departments}):
        return Decision(run.status)
    restored = Resolution(restore_departments(run, cms))
    document = build_document(run, restored, has_outbox=snapshot.has_outbox)
    return Decision(run.status, (WriteDocument(document),))


def _unanswered(snapshot: RunSnapshot, silence: CmsSilence | None) -> GatherRunStatus:
    """Say that the CMS is silent once it has been for a while; what it said before stands."""
    is_said = any(c.type == ConditionType.ACCEPTED for c in snapshot.run.status.conditions)
    if silence is None or is_said or silence.since_s < SILENCE_SAID_S:
        return build_status(snapshot)
    return asking_cms(snapshot)
