"""Networks: architectures built from torchvision's blocks, and the names of their layers."""
