"""Themes of departments, from counted phrases and from what a model makes of them; pure."""
