"""What there is and where it came from."""

from paperlora.catalog.catalog import Catalog, Status, open_catalog, stores
from paperlora.catalog.entry import Entry
from paperlora.catalog.folders import ItemKind, Pair, item_id
from paperlora.catalog.lineage import Stale
from paperlora.catalog.queue import Queue
from paperlora.catalog.yields import TopicYield

__all__ = [
    "Catalog", "Entry", "ItemKind", "Pair", "Queue", "Stale", "Status", "TopicYield", "item_id", "open_catalog", "stores",
]  # fmt: skip
