"""What out-of-distribution families do to images: each file here registers some.

All files are imported, so that a new one is a new family.
"""

import importlib
import pkgutil

# Families stand in the order of docs/methods/stimuli.md; those of other files come after them.
_FIRST = ("contrast", "filters", "fourier", "colour_opponent", "rotation", "eidolon", "noise")

for _name in dict.fromkeys((*_FIRST, *(module.name for module in pkgutil.iter_modules(__path__)))):
    importlib.import_module(f"{__name__}.{_name}")
