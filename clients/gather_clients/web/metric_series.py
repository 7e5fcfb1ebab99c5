"""Series of a metric that are there from the start, for every value that their labels can have."""

from collections.abc import Iterable
from itertools import product

from prometheus_client.metrics import MetricWrapperBase


def begin_at_zero(metric: MetricWrapperBase, **values: Iterable[str]) -> None:
    """Show the metric at 0 for each combination of its labels' values, which are closed lists.

    Of a series that begins with its first event neither rate() nor increase() counts that one.
    """
    for combination in product(*values.values()):
        metric.labels(**dict(zip(values, combination, strict=True)))
