"""Alignment of two sets of responses to the same stimuli: arrays in, scores out."""
