"""Convergent learning: do independently trained networks arrive at the same representations?"""

from importlib.metadata import version

__version__ = version("convergent-learning")
