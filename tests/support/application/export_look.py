"""Shows exports as readers see them: the sample in all formats, and pictures of its printed pages."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from dev.artefacts.document_readers import DocumentReaders
from dev.progress import Reporter
from tests.support.application.rendered_exports import rendered_film

DPI: Final = "80"
TIMEOUT_S: Final = 300


def main(folder: Path) -> None:
    """Write the files, and a picture of each page of the documents."""
    reporter = Reporter()
    office = DocumentReaders.from_environment().office()
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("run", "project"):
        for name in ("jsonl", "csv", "md", "docx"):
            (folder / f"{kind}.{name}").write_bytes(rendered_film(name, of_run=kind == "run"))
        with reporter.step(f"Print {kind}.docx and open {kind}.csv"):
            for target, source in (("pdf", "docx"), ("xlsx", "csv")):
                # A profile of its own: LibreOffice otherwise hands over to one that runs.
                command = [
                    str(office),
                    "--headless",
                    f"-env:UserInstallation=file://{folder.resolve()}/profile",
                ]
                command += ["--convert-to", target, "--outdir", str(folder), str(folder / f"{kind}.{source}")]
                subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
            pages = ["pdftoppm", "-r", DPI, "-png", str(folder / f"{kind}.pdf"), str(folder / kind)]
            subprocess.run(pages, check=True, timeout=TIMEOUT_S)
    reporter.say(f"Look at {folder}/*.png, and open run.xlsx: no cell is a formula.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "exports-look"))
