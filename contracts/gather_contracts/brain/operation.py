"""What the platform asks."""

from pydantic import ConfigDict

from gather_contracts.brain.base import SnakeBody


class ReadinessBody(SnakeBody):
    """What /readyz says, with 200 when ready and 503 otherwise."""

    model_config = ConfigDict(frozen=True, extra="allow")

    status: str
    model: str
    neo4j: str
