"""What a network needs so that no faulty kernel of a library is used to train it."""

from __future__ import annotations

from torch import Tensor, nn

_CHANNELS = 16  # a block of oneDNN's AVX-512 kernels; one of its AVX2 kernels is 8


def avoid_faulty_kernels(network: nn.Module) -> None:
    """Let strided 1 × 1 convolutions of fewer than 16 channels take the images' pixels beforehand.

    oneDNN's kernels for the gradient of their weights write past their workspace when the channels
    come last and fill no block: AVX2 ones (uxlfoundation/oneDNN issue 6035), and AVX-512 ones for
    maps of 64 pixels and more. The process dies, or hangs. A convolution with stride 1 of every
    s-th pixel is the same product, and takes another kernel.
    """
    for module in network.modules():
        if (
            isinstance(module, nn.Conv2d)
            and module.in_channels < _CHANNELS
            and set(module.kernel_size) == {1}
            and max(module.stride) > 1
        ):
            module.register_forward_pre_hook(_EveryPixelOf(module.stride))
            module.stride = (1, 1)


class _EveryPixelOf:
    """Takes every s-th row and column of a convolution's input."""

    def __init__(self, stride: tuple[int, ...]):
        self.rows, self.columns = stride

    def __call__(self, module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        return inputs[0][..., :: self.rows, :: self.columns]
