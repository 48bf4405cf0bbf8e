"""Datasets: raw sources proved by digests, canonical uint8 arrays, readers."""
