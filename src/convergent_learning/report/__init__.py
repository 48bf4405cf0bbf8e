"""The report: one self-contained page a reviewer can walk through."""
