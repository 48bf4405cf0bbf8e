"""Kernels of libraries that a network must not be trained with."""

import copy
import subprocess
import sys

import pytest
import torch

from convergent_learning.networks.architectures import build
from convergent_learning.training.kernels import avoid_faulty_kernels


@pytest.mark.parametrize("channels", [4, 8, 12])
def test_a_strided_pointwise_convolution_of_few_channels_is_trained(channels):
    """In a process of its own, which the faulty kernel would end by a signal."""
    code = f"""
import torch
from convergent_learning.training.kernels import avoid_faulty_kernels

convolution = torch.nn.Conv2d({channels}, 16, 1, stride=2).to(memory_format=torch.channels_last)
images = torch.randn(16, {channels}, 64, 64).to(memory_format=torch.channels_last)
avoid_faulty_kernels(convolution)
for _ in range(10):
    convolution(images).square().mean().backward()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("width", [1 / 16, 1 / 8, 1 / 4])
def test_outputs_and_gradients_stay(width):
    torch.manual_seed(0)
    plain = build("resnet18", 10, width, 16)
    mended = copy.deepcopy(plain)
    avoid_faulty_kernels(mended)
    images = torch.randn(4, 3, 16, 16)
    for network in (plain, mended):
        network(images).square().mean().backward()
    assert plain.state_dict().keys() == mended.state_dict().keys()
    for one, other in zip(plain.parameters(), mended.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4)


def test_only_narrow_strided_pointwise_convolutions_are_given_their_pixels():
    """Wider networks keep their weights to the last bit."""
    networks = [build("resnet18", 10, width, 16) for width in (1 / 16, 1 / 8, 1 / 4)]
    for network in networks:
        avoid_faulty_kernels(network)
    changed = [
        [name for name, module in network.named_modules() if module._forward_pre_hooks]
        for network in networks
    ]
    narrow = ["layer2.0.downsample.0", "layer3.0.downsample.0"]
    assert changed == [narrow, narrow[:1], []]
