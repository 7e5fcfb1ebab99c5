"""The CustomResourceDefinition of GatherRun: schema, rules and columns, as data.

Every rule is enforced by the API server itself, so a wrong resource is refused at `kubectl apply` with a
sentence that names the field and says what to do, and no webhook has to be up for it.
"""

from collections.abc import Mapping
from typing import Any, Final

from gather_contracts import names
from gather_contracts.crds.schema import Schema, cel_text, structural_schema
from gather_contracts.resource import GatherRun, GatherRunSpec, GatherRunStatus
from gather_contracts.worker_overrides import RESERVED_LABELS, RESERVED_PREFIXES

Rule = dict[str, str]

PATTERN_MESSAGES: Final[Mapping[str, str]] = {
    names.OBJECT_ID_PATTERN: "must be 24 hexadecimal digits, such as 66f1a2b3c4d5e6f708192a3b",
    names.SLUG_PATTERN: "must be a slug as in the CMS: at most 63 lower-case letters, digits and '-'",
    names.LANGUAGE_PATTERN: "must be a BCP 47 language tag such as de or pt-BR: a code, with '-', not a name",
}

MUTABLE_FIELDS: Final = frozenset({"suspend", "cancel", "ttlSecondsAfterFinished"})
"""Spec fields that may change after creation; all others are immutable."""

NAME_RULES: Final = (
    {
        "rule": f"self.metadata.name.size() <= {names.DNS_LABEL_MAX}",
        "message": f"metadata.name must have at most {names.DNS_LABEL_MAX} characters: shorten it",
    },
    {
        "rule": "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "message": "metadata.name must be a DNS label: lower-case letters, digits and '-', without dots",
    },
)
"""Names of Jobs and labels are made from the run's name."""

SPEC_RULES: Final = (
    {
        "rule": "self.maxIterations >= self.departments.size()",
        "message": "maxIterations must be at least the number of departments, one iteration each: "
        "raise maxIterations or name fewer departments",
        "fieldPath": ".maxIterations",
    },
)

LABEL_KEY: Final = "^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
LABEL_VALUE: Final = "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"


def _is_free(key: str) -> str:
    """Return the expression that holds for a label's key that a user may set."""
    taken = [f"{key}.startsWith({cel_text(prefix)})" for prefix in RESERVED_PREFIXES]
    taken += [f"{key} == {cel_text(label)}" for label in RESERVED_LABELS]
    return f"!({' || '.join(taken)})"


def _label_rules(field: str) -> tuple[Rule, ...]:
    """Return the rules for a map of labels, which Kubernetes would refuse at each Job."""
    all_of = f"!has(self.{field}) || self.{field}.all(key, "
    return (
        {
            "rule": f"{all_of}key.matches({cel_text(LABEL_KEY)}))",
            "message": f"worker.{field} must have keys as labels do, such as team or example.com/team",
            "fieldPath": f".{field}",
        },
        {
            "rule": f"{all_of}self.{field}[key].matches({cel_text(LABEL_VALUE)}))",
            "message": f"worker.{field} must have values of letters, digits, '-', '_' and '.'",
            "fieldPath": f".{field}",
        },
    )


def _quantity_rule(field: str) -> Rule:
    place = f"self.resources.{field}"
    each = f"isQuantity(string({place}[name])) && !quantity(string({place}[name])).isLessThan(quantity('0'))"
    return {
        "rule": f"!has(self.resources) || !has({place}) || {place}.all(name, {each})",
        "message": f"worker.resources.{field} must be quantities from 0, such as 500m, 2 or 1Gi",
        "fieldPath": f".resources.{field}",
    }


FIELD_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "userId": (
        {
            "rule": "self.matches('^[^\\\\p{Cc}]*$')",
            "message": "userId must not hold control characters: remove line breaks, tabs and the like",
        },
        {
            "rule": "self.size() == 0 || self.matches('[^\\\\pZ\\\\pC]')",
            "message": "userId must not be blank: name who asks for the run",
        },
    ),
    "departments": (
        {
            "rule": "self.all(slug, self.exists_one(other, other == slug))",
            "message": "departments must not name a slug twice: remove the repetition",
        },
    ),
    "focus": (
        {
            "rule": "self.matches('^([^\\\\p{Cc}]|[\\\\t\\\\n\\\\r])*$')",
            "message": "focus must not hold control characters other than tabs and line breaks: remove them",
        },
        {
            "rule": "self.size() == 0 || self.matches('[^\\\\pZ\\\\pC]')",
            "message": "focus must not be blank: leave it out to let the department's gaps decide",
        },
    ),
    "worker": (
        {
            "rule": f"!has(self.labels) || self.labels.all(key, {_is_free('key')})",
            "message": "worker.labels must not be ours (gather.ft.tc/, app.kubernetes.io/) "
            "or the Job controller's (batch.kubernetes.io/, job-name, controller-uid): use others",
            "fieldPath": ".labels",
        },
        *_label_rules("labels"),
        *_label_rules("nodeSelector"),
        _quantity_rule("limits"),
        _quantity_rule("requests"),
    ),
    "webhookUrl": (
        {
            "rule": "self.startsWith('https://')",
            "message": "webhookUrl must start with https:// in lower case: events are not sent in the clear",
        },
        {
            "rule": "!self.matches('^[^:]*://[^/?#]*@')",
            "message": "webhookUrl must not hold a user name or password: the events are signed instead",
        },
        {
            "rule": "!self.contains('#')",
            "message": "webhookUrl must not hold a fragment: remove '#' and what follows",
        },
        {
            "rule": f"self.matches({cel_text(names.WEBHOOK_CHARACTERS_PATTERN)})",
            "message": "webhookUrl must be plain ASCII without spaces, quotes, backslashes and "
            "< > ^ ` { | }: write other characters as %XX",
        },
        {
            # The characters have a rule of their own, and say more than this one.
            "rule": f"isURL(self) && self.matches({cel_text(names.WEBHOOK_HOST_PATTERN)})",
            "message": "webhookUrl must be a whole address with a host, such as https://app.example/hooks/gather",
        },
    ),
    "cancel": (
        {
            "rule": "self || !oldSelf",
            "message": "cancel cannot be taken back: create another GatherRun",
            "reason": "FieldValueForbidden",
        },
    ),
}

COLUMNS: Final = (
    {"name": "Project", "type": "string", "jsonPath": ".spec.projectId"},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Department", "type": "string", "jsonPath": ".status.currentDepartment"},
    {"name": "Progress", "type": "string", "jsonPath": ".status.progress"},
    {"name": "Items", "type": "integer", "jsonPath": ".status.itemsCreated"},
    {"name": "Quality", "type": "number", "jsonPath": ".status.qualityScore"},
    {"name": "Iterations", "type": "integer", "jsonPath": ".status.iterations", "priority": 1},
    {"name": "Cost", "type": "number", "jsonPath": ".status.costUSD", "priority": 1},
    {"name": "Reason", "type": "string", "jsonPath": ".status.reason", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)
"""Columns of priority 1 show with `-o wide`."""


def custom_resource_definition() -> dict[str, Any]:
    """Return the CRD, ready for the API server."""
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [dict(column) for column in COLUMNS],
        "schema": {"openAPIV3Schema": root_schema()},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.KIND.lower(),
                "shortNames": [names.SHORT_NAME],
                "categories": ["all", "gather"],
            },
            "versions": [version],
        },
    }


def root_schema() -> Schema:
    """Return the schema of the whole resource."""
    meaning = {
        "apiVersion": "The version of this schema.",
        "kind": f"Always {names.KIND}.",
    }
    properties: Schema = {name: {"description": text, "type": "string"} for name, text in meaning.items()}
    properties["metadata"] = {"type": "object"}
    properties["spec"] = spec_schema()
    properties["status"] = structural_schema(GatherRunStatus, PATTERN_MESSAGES, with_defaults=False)
    return {
        "description": GatherRun.__doc__,
        "type": "object",
        "required": ["spec"],
        "properties": properties,
        "x-kubernetes-validations": [dict(rule) for rule in NAME_RULES],
    }


def spec_schema() -> Schema:
    """Return the schema of the spec with the rules that pydantic's schema has no words for."""
    schema = structural_schema(GatherRunSpec, PATTERN_MESSAGES, with_defaults=True)
    rules = [dict(rule) for rule in SPEC_RULES]
    for name, field in schema["properties"].items():
        if name not in MUTABLE_FIELDS:
            _add_rules(field, _immutable(name, "self == oldSelf"))
            if name not in schema["required"] and "default" not in field:
                rules.append(_immutable(name, f"has(self.{name}) == has(oldSelf.{name})", f".{name}"))
        _add_rules(field, *FIELD_RULES.get(name, ()))
    _add_rules(schema, *rules)
    return schema


def _immutable(name: str, rule: str, field_path: str = "") -> Rule:
    """Return a rule that compares with the stored resource; the API server skips it on creation."""
    made = {
        "rule": rule,
        "message": f"{name} cannot change after creation: create another GatherRun",
        "reason": "FieldValueForbidden",
    }
    return {**made, "fieldPath": field_path} if field_path else made


def _add_rules(schema: Schema, *rules: Rule) -> None:
    if rules:
        schema.setdefault("x-kubernetes-validations", []).extend(dict(rule) for rule in rules)
