"""Columns of the accuracy files that an extraction pass writes; read without torch."""

ACCURACY_COLUMNS = ("dataset", "group", "seed", "step", "stimuli", "condition", "accuracy", "n")
