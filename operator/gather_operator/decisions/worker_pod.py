"""What the chart says of worker pods beyond image, Secret, place and resources: one setting, as JSON."""

from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.worker_overrides import Affinity, dump_part
from gather_operator.decisions.manifests import RESTRICTED, WorkerTemplate

ENTRIES_MAX: Final = 64
"""Of a list or map, as in the chart's schema, which also says what may stand in each."""

Parts = list[dict[str, Any]]


class WorkerPod(BaseModel):
    """In Kubernetes' own words; what is left out is as without the setting."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")

    labels: dict[str, str] = Field(default_factory=dict, max_length=ENTRIES_MAX)
    """Of Jobs and pods; a queue's are a run's own."""
    annotations: dict[str, str] = Field(default_factory=dict, max_length=ENTRIES_MAX)
    priority_class_name: str = Field(default="", max_length=253)
    affinity: Affinity | None = None
    topology_spread_constraints: Parts = Field(default_factory=list, max_length=ENTRIES_MAX)
    security_context: dict[str, Any] = Field(default_factory=lambda: dict(RESTRICTED))
    extra_env: Parts = Field(default_factory=list, max_length=ENTRIES_MAX)
    extra_volumes: Parts = Field(default_factory=list, max_length=ENTRIES_MAX)
    extra_volume_mounts: Parts = Field(default_factory=list, max_length=ENTRIES_MAX)

    def added_to(self, template: WorkerTemplate) -> WorkerTemplate:
        """Return the template of all runs' pods."""
        return replace(
            template,
            labels=self.labels,
            annotations=self.annotations,
            priority_class=self.priority_class_name,
            affinity=dump_part(self.affinity),
            topology_spread=self.topology_spread_constraints,
            security_context=self.security_context,
            env=self.extra_env,
            volumes=self.extra_volumes,
            volume_mounts=self.extra_volume_mounts,
        )
