"""Biological responses and dissimilarities with their images: read once, proved, checked early."""
