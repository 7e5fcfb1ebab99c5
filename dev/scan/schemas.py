"""Hold objects against the schemas of Kubernetes versions; run apart, with what requirements/scan.txt pins.

    python -m dev.scan.schemas 1.31,1.37 < objects.json

Reads a list of [place, object], and prints a list of [version, place, what is wrong]. Objects of kinds that
are not Kubernetes' own have no schema there.
"""

import functools
import json
import sys


def main() -> None:
    """Print what is wrong."""
    objects = json.load(sys.stdin)
    import jsonschema  # noqa: PLC0415 - theirs, in the scanners' folder
    from kubernetes_validate import utils  # type: ignore[import-not-found]  # noqa: PLC0415 - only there

    # It reads megabytes for each object otherwise.
    utils.schema_contents = functools.cache(utils.schema_contents)
    found = []
    for version in sys.argv[1].split(","):
        for place, document in objects:
            try:
                used = utils.validate(document, version, strict=True)
            except utils.SchemaNotFoundError:
                continue
            except jsonschema.ValidationError as error:
                found.append([version, place, error.message])
            else:
                if used != version:
                    sys.exit(f"kubernetes-validate has no schemas of {version}")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
