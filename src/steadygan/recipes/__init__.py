"""Recipes: functions that return a complete run configuration. A recipe is an opinion, so it stands above training."""

from __future__ import annotations

from steadygan.recipes.choose import RECIPES, choose_recipe, describe
from steadygan.recipes.classic import dcgan, ring
from steadygan.recipes.modern import steady
from steadygan.recipes.start import configure, train

__all__ = ["RECIPES", "choose_recipe", "configure", "dcgan", "describe", "ring", "steady", "train"]
