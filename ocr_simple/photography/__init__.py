"""Turning a drawn line into a picture of it: recipes, effects, geometry."""
