"""What the operator's ServiceAccount must be allowed to do (docs/operator.md, Rights)."""

from dataclasses import dataclass
from typing import Any, Final

from gather_contracts import names


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one kind."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        """Return it as kubectl auth can-i takes it."""
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}" + (f"/{self.subresource}" if self.subresource else "")

    def review(self, account: str, namespace: str) -> dict[str, Any]:
        """Return the question to the API server."""
        asked = {"namespace": namespace, "verb": self.verb, "group": self.group, "resource": self.resource}
        if self.subresource:
            asked["subresource"] = self.subresource
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": namespace},
            "spec": {
                "user": f"system:serviceaccount:{namespace}:{account}",
                "groups": [
                    "system:serviceaccounts",
                    f"system:serviceaccounts:{namespace}",
                    "system:authenticated",
                ],
                "resourceAttributes": asked,
            },
        }


RIGHTS: Final = (
    *(Right(verb, names.PLURAL, names.GROUP) for verb in ("get", "list", "watch", "patch", "delete")),
    Right("patch", names.PLURAL, names.GROUP, "status"),
    *(Right(verb, "jobs", "batch") for verb in ("list", "watch", "create", "patch", "delete")),
    *(Right(verb, "pods") for verb in ("list", "watch", "delete")),
    *(Right(verb, "configmaps") for verb in ("get", "list", "watch", "create", "delete")),
    *(Right(verb, "events") for verb in ("list", "create")),
    Right("create", "leases", "coordination.k8s.io"),
)
