"""The long lists of a report, verdicts and adapters: one item of them as markup, and all of them packed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from paperlora.report.data import Limits
from paperlora.report.gallery import Gallery, gallery
from paperlora.report.packed import NOTHING, Item, PackedList, pack_list
from paperlora.report.short import Short, in_short
from paperlora.report.views import AdapterView, Index, VerdictView, adapter_views, verdict_views

VERDICT_FILTERS = ("verdict", "cause", "adapter", "paper", "flag")
ADAPTER_FILTERS = ("state", "recipe", "paper")


class Fragments:
    """One verdict or one adapter as markup, by the page's own templates."""

    def __init__(self, environment: Environment, values: Mapping[str, Any]) -> None:
        self._verdict = environment.get_template("_verdict.html.j2")
        self._adapter = environment.get_template("_adapter.html.j2")
        self._values = dict(values)

    def verdict(self, view: VerdictView, *, linked: bool) -> Markup:
        """A verdict.

        Args:
            linked: its answers are listed in the page, so that a link may lead there.
        """
        return Markup(self._verdict.render(self._values | {"view": view, "linked": linked}))

    def adapter(self, view: AdapterView) -> Markup:
        """An adapter."""
        return Markup(self._adapter.render(self._values | {"view": view, "state": state_of(view)}))


def state_of(view: AdapterView) -> str:
    """What the judge says of an adapter as a whole, in words."""
    if view.report is None:
        return "not judged"
    if not view.report.live:
        return "not live"
    return "damaged" if view.report.damaged else "undamaged"


class Lists:
    """What is made of everything, whatever a page lists: made once, when it is asked for."""

    def __init__(self, index: Index, fragments: Fragments, limits: Limits) -> None:
        self._index, self._fragments, self._limits = index, fragments, limits

    @cached_property
    def _verdicts(self) -> tuple[VerdictView, ...]:
        return verdict_views(self._index, self._limits)

    @cached_property
    def _adapters(self) -> tuple[AdapterView, ...]:
        return adapter_views(self._index, self._verdicts)

    @cached_property
    def short(self) -> Short:
        """The answer before the evidence."""
        return in_short(self._verdicts, self._adapters)

    @cached_property
    def gallery(self) -> Gallery:
        """All pictures."""
        return gallery(self._index, self._verdicts, self._adapters)

    @cached_property
    def verdicts(self) -> PackedList:
        """All verdicts, packed."""
        return pack_list(VERDICT_FILTERS, map(self._verdict_item, self._verdicts)) if self._verdicts else NOTHING

    @cached_property
    def adapters(self) -> PackedList:
        """All adapters, packed."""
        return pack_list(ADAPTER_FILTERS, map(self._adapter_item, self._adapters)) if self._adapters else NOTHING

    def packed_bytes(self, limits: Limits) -> int:
        """Bytes of those lists that don't fit within the limits, and are packed therefore."""
        verdicts = len(self.verdicts.text) if len(self._verdicts) > limits.verdicts else 0
        return verdicts + (len(self.adapters.text) if len(self._adapters) > limits.adapters else 0)

    def _verdict_item(self, view: VerdictView) -> Item:
        causes = tuple(dict.fromkeys(diagnosis.cause for diagnosis in view.diagnoses))
        facets = ((view.kind.label,), causes, (view.adapter,), (view.paper,), view.verdict.flags)
        return Item(view.code, facets, self._fragments.verdict(view, linked=False))

    def _adapter_item(self, view: AdapterView) -> Item:
        facets = ((state_of(view),), (view.adapter.recipe.name,), (view.paper,))
        return Item(view.code, facets, self._fragments.adapter(view))
