"""Recipes as TOML files: those that come with PaperLoRA, and yours."""

from __future__ import annotations

import difflib
import itertools
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from paperlora.errors import SettingsError
from paperlora.records import Recipe

SHIPPED = ("quick", "seed", "sweep")


class RecipeBook(NamedTuple):
    """What one file asks for."""

    recipes: tuple[Recipe, ...]
    """One, or every combination of a sweep."""
    pilots: int | None
    """Train only so many papers, those with the most ideas; None for all."""


def recipe_text(name: str) -> str:
    """The TOML of a recipe that comes with PaperLoRA."""
    return (resources.files(__name__) / f"{name}.toml").read_text(encoding="utf-8")


def load_recipes(name: str) -> RecipeBook:
    """Recipes by name or file.

    Args:
        name: one of :data:`SHIPPED`, or the path of a TOML file.

    Raises:
        SettingsError: there is none of that name, it is no TOML, or a knob or value is wrong.
    """
    path = Path(name).expanduser()
    if name in SHIPPED:
        text = recipe_text(name)
    elif path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        raise SettingsError(f"There is no recipe {name}.", f"Name one of {', '.join(SHIPPED)}, or a TOML file.")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The recipe {name} is no TOML: {error}.") from error
    sweep = values.pop("sweep", {})
    pilots = sweep.pop("pilots", None)
    return RecipeBook(tuple(_recipe(name, values | chosen) for chosen in _combinations(name, sweep)), pilots)


def _combinations(name: str, sweep: Mapping[str, Any]) -> list[dict[str, Any]]:
    if any(not isinstance(choices, list) or not choices for choices in sweep.values()):
        raise SettingsError(f"In [sweep] of the recipe {name} every knob needs a list of values.")
    return [dict(zip(sweep, chosen, strict=True)) for chosen in itertools.product(*sweep.values())]


def _recipe(name: str, values: Mapping[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate({"name": Path(name).stem, **values})
    except ValidationError as error:
        first = error.errors()[0]
        knob = ".".join(map(str, first["loc"]))
        close = difflib.get_close_matches(knob, list(Recipe.model_fields), n=1) if first["type"] == "extra_forbidden" else []
        meant = f" Did you mean {close[0]}?" if close else ""
        raise SettingsError(f"Knob {knob} of the recipe {name}: {first['msg']}.{meant}", "Each knob stands in `paperlora recipe quick`.") from None
