"""Where each runtime and toolkit lives: an environment of Python with what it needs."""

from fqbench.environments.environment import Environment, Missing, find, here
from fqbench.environments.recipe import HERE, Alternative, Recipe, recipes

__all__ = ["HERE", "Alternative", "Environment", "Missing", "Recipe", "find", "here", "recipes"]
