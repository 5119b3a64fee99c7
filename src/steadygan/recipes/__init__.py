"""Recipes: functions that return a complete run configuration. A recipe is an opinion, so it stands above training."""

from __future__ import annotations

from steadygan.recipes.choose import RECIPES, choose_recipe, describe
from steadygan.recipes.facts import Facts
from steadygan.recipes.start import configure, plan, resume, told_again, train

__all__ = ["RECIPES", "Facts", "choose_recipe", "configure", "describe", "plan", "resume", "told_again", "train"]
