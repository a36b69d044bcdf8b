"""The base model in a task that may not need it.

What needs torch is imported where it is used: a machine without torch deploys and starts the stages.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from paperlora.errors import ModelUnavailable
from paperlora.records import BaseModelId
from paperlora.settings import Settings

if TYPE_CHECKING:
    from paperlora.model.base import Base


class BaseAtHand:
    """The base that takes part in the making of datasets: named at once, loaded when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        """Name it, or nothing where ``microdata.use_model`` is off.

        Raises:
            ModelUnavailable: it is not here and can't be fetched, or torch is missing.
        """
        self._settings = settings
        self.id = self._identify() if settings.microdata.use_model else None
        self.load = cache(self._load)

    def _identify(self) -> BaseModelId:
        settings = self._settings
        try:
            from paperlora.model.base import identify_base
        except ImportError as error:
            raise ModelUnavailable(
                f"Datasets are made with the base model, and {error.name} is not installed here.",
                "Install PaperLoRA with torch on the machines that distill, or set microdata.use_model = false.",
            ) from error
        return identify_base(settings.base_model, device=settings.device, cache=settings.models.expanduser(), four_bit=settings.four_bit)

    def _load(self) -> Base | None:
        if self.id is None:
            return None
        from paperlora.model.base import base_of

        settings = self._settings
        return base_of(settings)
