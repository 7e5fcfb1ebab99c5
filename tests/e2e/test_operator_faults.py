"""A few of the faults of `make faults`, on a control plane of their own: the cluster is not touched."""

from pathlib import Path

from tests.faults.campaign import Options, carry_out
from tests.faults.plans import KILLED, SAMPLE, parse_plan
from tests.faults.scenarios import SCENARIOS
from tests.support.kubernetes.api_proxy import EVENT_FAULTS, KILLS, STALE, STREAM_FAULTS, WRITE_FAULTS


def test_the_operator_survives_a_fault_of_each_kind(tmp_path: Path) -> None:
    """Killed, refused, cut off, and with watches that break or leave something out."""
    results = carry_out(Options(is_sample=True), tmp_path)
    assert len(results) == len(SAMPLE)
    assert [result.plan.name for result in results if not result.is_reached] == []
    assert {result.plan.name: result.breaches for result in results if result.breaches} == {}


def test_the_sample_has_each_kind_of_fault_and_kills_in_each_scenario() -> None:
    plans = [parse_plan(name) for name in SAMPLE]
    assert {p.fault.kind for p in plans} == {
        *KILLS,
        *WRITE_FAULTS,
        *STREAM_FAULTS,
        *EVENT_FAULTS,
        STALE,
    }
    killed = {(p.scenario, p.fault.kind) for p in plans if p.fault.kind in KILLS}
    assert killed == {(name, kind) for name in KILLED if name in SCENARIOS for kind in KILLS}
