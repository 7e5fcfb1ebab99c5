"""What one run may ask of its worker pods, in the words and the form of Kubernetes' own pod template.

Every list and text is bounded, so that a run stays a small object; what a pod of today's Kubernetes knows
besides is not offered.
"""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts import names

ENTRIES_MAX: Final = 16
"""Of a map, and of a list of values."""
TERMS_MAX: Final = 8
KEY_MAX: Final = 317
"""Of a label's key: a DNS name of 253 characters, a slash and a name of 63."""
VALUE_MAX: Final = 63
RESERVED_PREFIXES: Final = (f"{names.GROUP}/", "app.kubernetes.io/", "batch.kubernetes.io/")
"""Of labels that Gather and the Job controller set."""
RESERVED_LABELS: Final = ("controller-uid", "job-name")
QUEUE_PREFIX: Final = "kueue.x-k8s.io/"
"""Of labels that speak of a Job and not of its pods."""

Quantity = Annotated[
    int | str,
    Field(
        description="A quantity such as 500m, 2 or 1Gi.",
        json_schema_extra={"x-kubernetes-int-or-string": True, "maxLength": 32},
    ),
]
Key = Annotated[str, Field(max_length=KEY_MAX)]
Value = Annotated[str, Field(max_length=VALUE_MAX, description="A value.")]
Values = Annotated[
    list[Value],
    Field(max_length=ENTRIES_MAX, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
]


class _PodPart(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", defer_build=True
    )


def _listed(maximum: int = TERMS_MAX) -> dict[str, Any]:
    return {"max_length": maximum, "json_schema_extra": {"x-kubernetes-list-type": "atomic"}}


class Resources(_PodPart):
    """Requests and limits of the worker's container."""

    limits: dict[str, Quantity] | None = Field(
        default=None, max_length=ENTRIES_MAX, description="At most this much of each resource."
    )
    requests: dict[str, Quantity] | None = Field(
        default=None, max_length=ENTRIES_MAX, description="At least this much of each resource."
    )


class Effect(StrEnum):
    """What a taint does."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class TolerationOperator(StrEnum):
    """How a toleration's key is compared."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class Toleration(_PodPart):
    """A taint of nodes that the pod bears."""

    key: Key | None = Field(default=None, description="The taint's key. Unset with Exists: every taint.")
    operator: TolerationOperator | None = Field(default=None, description="Exists or Equal. Unset: Equal.")
    value: Value | None = Field(default=None, description="The taint's value, for Equal.")
    effect: Effect | None = Field(default=None, description="The taint's effect. Unset: all.")
    toleration_seconds: int | None = Field(
        default=None, ge=-(2**31), le=2**31 - 1, description="For how long, with NoExecute. Unset: for good."
    )


class LabelOperator(StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class NodeOperator(StrEnum):
    """How a node's label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    LT = "Lt"


class NodeRequirement(_PodPart):
    """One comparison with a node."""

    key: Key = Field(description="The label's or field's key.")
    operator: NodeOperator = Field(description="How it is compared.")
    values: Values | None = Field(default=None, description="With what.")


class NodeTerm(_PodPart):
    """Comparisons of which all must hold."""

    match_expressions: list[NodeRequirement] | None = Field(
        default=None, description="With the node's labels.", **_listed()
    )
    match_fields: list[NodeRequirement] | None = Field(
        default=None, description="With the node's fields.", **_listed()
    )


class NodeSelector(_PodPart):
    """Terms of which one must hold."""

    node_selector_terms: list[NodeTerm] = Field(description="The terms.", **_listed())


class PreferredNodes(_PodPart):
    """A term that is liked, by weight."""

    weight: int = Field(ge=1, le=100, description="How much it counts.")
    preference: NodeTerm = Field(description="The term.")


class NodeAffinity(_PodPart):
    """Which nodes."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(
        default=None, description="Nodes that alone will do."
    )
    preferred_during_scheduling_ignored_during_execution: list[PreferredNodes] | None = Field(
        default=None, description="Nodes that are liked.", **_listed()
    )


class LabelRequirement(_PodPart):
    """One comparison with a label."""

    key: Key = Field(description="The label's key.")
    operator: LabelOperator = Field(description="How it is compared.")
    values: Values | None = Field(default=None, description="With what.")


class LabelSelector(_PodPart):
    """Labels of which all must fit."""

    match_labels: dict[str, Value] | None = Field(
        default=None, max_length=ENTRIES_MAX, description="Labels with these values."
    )
    match_expressions: list[LabelRequirement] | None = Field(
        default=None, description="Labels that compare so.", **_listed()
    )


class PodTerm(_PodPart):
    """Pods to be near to, or far from."""

    label_selector: LabelSelector | None = Field(default=None, description="Which pods.")
    topology_key: Key = Field(description="The node label whose value says what is near.")
    namespaces: Values | None = Field(default=None, description="Their namespaces. Unset: the run's own.")
    namespace_selector: LabelSelector | None = Field(default=None, description="Their namespaces, by label.")


class PreferredPods(_PodPart):
    """A term that is liked, by weight."""

    weight: int = Field(ge=1, le=100, description="How much it counts.")
    pod_affinity_term: PodTerm = Field(description="The term.")


class PodAffinity(_PodPart):
    """Near to, or far from, which pods."""

    required_during_scheduling_ignored_during_execution: list[PodTerm] | None = Field(
        default=None, description="What must hold.", **_listed()
    )
    preferred_during_scheduling_ignored_during_execution: list[PreferredPods] | None = Field(
        default=None, description="What is liked.", **_listed()
    )


class Affinity(_PodPart):
    """Where pods are placed."""

    node_affinity: NodeAffinity | None = Field(default=None, description="On which nodes.")
    pod_affinity: PodAffinity | None = Field(default=None, description="Near to which pods.")
    pod_anti_affinity: PodAffinity | None = Field(default=None, description="Far from which pods.")


class WorkerOverrides(_PodPart):
    """What this run's worker pods have other than the others."""

    resources: Resources | None = Field(
        default=None, description="Over the chart's worker.resources, resource by resource."
    )
    node_selector: dict[str, Value] | None = Field(
        default=None, max_length=ENTRIES_MAX, description="Over the chart's worker.nodeSelector, key by key."
    )
    tolerations: list[Toleration] | None = Field(
        default=None, description="Beside the chart's worker.tolerations.", **_listed(ENTRIES_MAX)
    )
    affinity: Affinity | None = Field(
        default=None, description="Where pods are placed, as Kubernetes has it."
    )
    priority_class_name: str | None = Field(
        default=None, min_length=1, max_length=253, description="The pods' PriorityClass."
    )
    labels: dict[str, Value] | None = Field(
        default=None,
        max_length=ENTRIES_MAX,
        description="Further labels of Jobs and pods. kueue.x-k8s.io/queue-name hands the Jobs to that queue "
        f"of Kueue; labels of {QUEUE_PREFIX} stand at the Job alone.",
    )

    @property
    def is_queued(self) -> bool:
        """Return whether the Jobs are handed to a queue."""
        return names.LABEL_QUEUE in (self.labels or {})


def dump_part(part: BaseModel | None) -> dict[str, Any]:
    """Return a part as Kubernetes has it: camelCase, without what is unset; {} for None."""
    return part.model_dump(mode="json", by_alias=True, exclude_none=True) if part is not None else {}
