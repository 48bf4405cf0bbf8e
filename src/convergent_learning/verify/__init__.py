"""Rebuilt tables and verdicts against a committed reference, within measured tolerances."""
