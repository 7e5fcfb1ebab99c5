"""A file that is there whole or not at all."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gather_cli.errors import CliError


def write_whole(path: Path, chunks: Iterable[bytes]) -> int:
    """Write the bytes beside the file and put it in its place at the end; return how many; raises CliError.

    Whatever goes wrong, an older file stays as it was.
    """
    size = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
                size += len(chunk)
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except OSError as error:
        raise CliError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
    return size


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
