"""The project's notes as this worker knows them: read once, then joined by those that it saves itself."""

from collections.abc import Sequence

from gather_contracts.items import GatherItem
from gather_worker.department.task import DepartmentTask
from gather_worker.schemas import ITEMS_MAX
from gather_worker.services.mongodb import Store


class ProjectNotes:
    """Notes that are in MongoDB, of all departments and of people, the oldest first."""

    def __init__(self, task: DepartmentTask, store: Store) -> None:
        self._task = task
        self._store = store
        self._items: list[GatherItem] = []

    @property
    def items(self) -> Sequence[GatherItem]:
        """Return all of them."""
        return self._items

    @property
    def own(self) -> Sequence[GatherItem]:
        """Return the department's."""
        return [item for item in self._items if item.department == self._task.department.slug]

    def ids_of(self, iteration: int) -> list[str]:
        """Return the ids of the notes of one of the department's iterations."""
        ids = set(self._task.item_ids(iteration, ITEMS_MAX))
        return [item.id for item in self._items if item.id in ids]

    async def read(self) -> None:
        """Read what there is."""
        self._items = await self._store.read_items()

    async def save(self, items: Sequence[GatherItem]) -> None:
        """Write the notes that are not there yet."""
        await self._store.save_items(items)
        known = {item.id for item in self._items}
        self._items += [item for item in items if item.id not in known]
