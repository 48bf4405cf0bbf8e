"""Intervals, tables and claims, from scores to verdicts; reads tables and imports no torch."""
