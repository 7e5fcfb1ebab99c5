"""The CRD, the release, its versions, the operator's rights, and what may not be looked at; pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from gather_cli.doctor.cluster_facts import Facts
from gather_cli.doctor.diagnosis import Finding, fail, ok, skip, warn
from gather_cli.doctor.installed_release import container
from gather_contracts import names

SHOWN: Final = 6
CRD_FIX: Final = (
    "helm upgrade the release that owns the CRD (crds.enabled=true), or kubectl apply -f "
    "crds/ of the operator's version"
)


def check_crd(facts: Facts) -> Iterator[Finding]:
    """Whether GatherRuns are served, with all fields of this version."""
    if not facts.has_crd:
        yield fail(
            "CRD",
            f"the cluster has no {names.PLURAL}.{names.GROUP}/{names.VERSION}",
            "install Gather with crds.enabled=true, or kubectl apply -f crds/; or it is the wrong --context",
        )
        return
    served = served_fields(facts.schema or {})
    if not served:
        return
    if missing := [field for field in wanted_fields() if field not in served]:
        shown = ", ".join(missing[:SHOWN]) + (
            f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        )
        yield fail(
            "CRD",
            f"the CRD is of another version: it lacks {shown}; the API server drops these fields",
            CRD_FIX,
        )
    else:
        yield ok("CRD", f"{names.PLURAL}.{names.GROUP}/{names.VERSION} has all fields")


@cache
def wanted_fields() -> tuple[str, ...]:
    """Return the fields that a GatherRun of this version has; `make crds` writes them."""
    text = files("gather_cli.doctor").joinpath("crd_fields.txt").read_text("utf-8")
    return tuple(text.split())


def served_fields(document: Mapping[str, Any]) -> set[str]:
    """Return the fields of a GatherRun in an OpenAPI document; none if it has no GatherRun with a schema."""
    schemas = (document.get("components") or {}).get("schemas") or {}
    for schema in schemas.values():
        kinds = schema.get("x-kubernetes-group-version-kind") or ()
        if any((k.get("group"), k.get("kind")) == (names.GROUP, names.KIND) for k in kinds):
            return set(fields_of(schema, ""))
    return set()


def fields_of(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield a schema's fields below spec and status, with dots."""
    for name, below in (schema.get("properties") or {}).items():
        if path or name in {"spec", "status"}:
            yield f"{path}{name}"
            yield from fields_of(below, f"{path}{name}.")
    if schema.get("items"):
        yield from fields_of(schema["items"], path)


def check_release(facts: Facts) -> Iterator[Finding]:
    """Whether Gather is installed here, once, its rooms of one version."""
    if "Deployments" in facts.refused:
        return
    release = facts.release
    if release is None:
        where = f"; there is one in {', '.join(facts.elsewhere[:SHOWN])}" if facts.elsewhere else ""
        fix = (
            f"give -n {facts.elsewhere[0]}"
            if facts.elsewhere
            else "helm install gather charts/gather, docs/charts.md"
        )
        yield fail("Release", f"no Gather is installed in namespace {facts.namespace}{where}", fix)
        return
    if facts.other_releases:
        yield warn(
            "Release",
            f"besides {release.name} there is {', '.join(facts.other_releases)} in this "
            "namespace; two operators act on the same runs",
            "give each release a namespace of its own; --release says which one is looked at",
        )
    yield ok("Release", f"{release.name} {release.version} in namespace {facts.namespace}")
    operator = release.rooms.get("operator")
    if operator is None:
        yield fail(
            "Operator", f"release {release.name} has no operator Deployment", "helm upgrade the release"
        )
        return
    image, worker = (
        _tag(str(container(operator).get("image"))),
        _tag(release.operator_env.get("GATHER_WORKER_IMAGE", "")),
    )
    if image and worker and image != worker:
        yield warn(
            "Versions",
            f"the operator is of {image}, workers are of {worker}",
            "set operator.image.tag and worker.image.tag to one release: they share messages",
        )


def _tag(image: str) -> str:
    return image.rsplit("/", 1)[-1].partition(":")[2].partition("@")[0]


def check_rights(facts: Facts) -> Iterator[Finding]:
    """What the operator may not do, though it must."""
    if facts.rights is None:
        return
    lacking = [right for right, is_allowed in facts.rights.items() if not is_allowed]
    if not lacking:
        yield ok("Rights", "the operator's ServiceAccount has all rights that it needs")
        return
    by_kind: dict[str, list[str]] = defaultdict(list)
    for right in lacking:
        by_kind[str(right).split(" ", 1)[1]].append(right.verb)
    said = "; ".join(f"{', '.join(verbs)} {kind}" for kind, verbs in by_kind.items())
    yield fail(
        "Rights",
        f"the operator's ServiceAccount may not: {said}",
        "helm upgrade the release, which makes its Role and RoleBinding again; docs/operator.md lists "
        "the rights",
    )


def check_refused(facts: Facts) -> Iterator[Finding]:
    """What could not be read, so that nothing is said of it."""
    for what, why in facts.refused.items():
        yield skip(
            "Not looked at",
            f"{what}: {why}",
            "ask somebody with that right to run gather doctor" if why.startswith("not allowed") else "",
        )
