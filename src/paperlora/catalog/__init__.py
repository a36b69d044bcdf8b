"""What there is and where it came from."""

from paperlora.catalog.catalog import Catalog, Entry, ItemKind, Status, item_id, open_catalog, stores

__all__ = ["Catalog", "Entry", "ItemKind", "Status", "item_id", "open_catalog", "stores"]
