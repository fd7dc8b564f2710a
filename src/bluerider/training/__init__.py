"""Recipes for models like murnau, and teaching finished models, in Lightning's loop."""

from bluerider.training.understudies import defer

defer()
