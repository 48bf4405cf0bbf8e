"""Activations: extraction on the position grid into HDF5."""
