"""`python -m dev images` and `load`: build what changed, and load it into the running cluster."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dev.artefacts.cache import Cache
from dev.artefacts.embedding_models import EmbeddingModels
from dev.artefacts.page_assets import PageAssets
from dev.cluster.choose import choose_provider
from dev.images.build import Images
from dev.progress import Reporter

app = typer.Typer()
Names = Annotated[list[str] | None, typer.Argument(help="Images, such as worker; all if none is named.")]


def tags_table(tags: dict[str, str]) -> Table:
    """Return the images and their tags as a table."""
    table = Table("image", "tag", box=None)
    for name, tag in sorted(tags.items()):
        table.add_row(name, tag)
    return table


@app.command(epilog="Example: python -m dev images worker brain")
def images(names: Names = None) -> None:
    """Build the images whose content changed, to see that they build; needs a Docker engine or root."""
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    Console().print(tags_table(Images.from_environment(cache, reporter).build(names or ())))


@app.command(
    "page-assets", epilog="Example: docker build --build-context page=$(python -m dev page-assets) …"
)
def page_assets() -> None:
    """Print the folder with what the run page serves of others, for a build of the bridge by hand."""
    typer.echo(PageAssets.from_environment().folder())


@app.command(
    "embedding-models",
    epilog="Example: docker build --build-context models=$(python -m dev embedding-models) …",
)
def embedding_models() -> None:
    """Print the folder with the brain's embedding models, for a build of the brain by hand."""
    typer.echo(EmbeddingModels.from_environment().all())


@app.command(epilog="Example: python -m dev load worker")
def load(names: Names = None) -> None:
    """Build the images whose content changed and load them, to use them by hand; needs the cluster up."""
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    provider = choose_provider(cache, reporter)
    Console().print(tags_table(Images.from_environment(cache, reporter).load(provider, names or ())))
