"""Where personas come from: the grid of all profiles, and named lists of them."""

from dilemmas.personas.grid import PROFILES, Variable, persona_at, profile, variables
from dilemmas.personas.listed import built_in, resolve

__all__ = ["PROFILES", "Variable", "built_in", "persona_at", "profile", "resolve", "variables"]
