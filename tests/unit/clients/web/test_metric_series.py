"""Counters that are at 0 from the start, so that rates count their first event."""

from prometheus_client import CollectorRegistry, Counter

from gather_clients.web.metric_series import begin_at_zero


def test_each_combination_of_values_is_there_at_zero() -> None:
    """And what has been counted before stays."""
    registry = CollectorRegistry()
    counter = Counter("calls", "Calls.", ["call", "error"], registry=registry)
    counter.labels(call="get", error="Refused").inc()
    begin_at_zero(counter, call=["get", "watch"], error=["Refused", "Broken"])
    shown = {
        (call, error): registry.get_sample_value("calls_total", {"call": call, "error": error})
        for call in ("get", "watch")
        for error in ("Refused", "Broken")
    }
    assert shown == {
        ("get", "Refused"): 1, ("get", "Broken"): 0, ("watch", "Refused"): 0, ("watch", "Broken"): 0
    }  # fmt: skip
