"""What a network is called, in files, folders and messages."""


def network_name(group: str, seed: int) -> str:
    """Name of the network with `seed` in `group`: also the stem of its files."""
    return f"{group}-seed{seed}"
