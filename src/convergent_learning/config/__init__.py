"""The config: its keys, what they may hold, and the files that it is read from."""
