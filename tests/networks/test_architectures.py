import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from convergent_learning.networks.architectures import build
from convergent_learning.networks.listed import listed
from convergent_learning.networks.loading import TORCHVISION_NAMES

CONVOLUTIONAL = [name for name in listed() if not name.startswith("vit")]


def torchvision_network(architecture):
    if architecture == "vit_small":  # torchvision has the class, not this size
        return torchvision.models.VisionTransformer(224, 16, 12, 6, 384, 1536)
    return torchvision.models.get_model(TORCHVISION_NAMES.get(architecture, architecture))


def shapes(network):
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("architecture", listed())
def test_at_full_size_all_parameters_are_those_of_torchvision(architecture):
    with torch.device("meta"):
        ours, theirs = build(architecture, 1000, 1, 224), torchvision_network(architecture)
    assert shapes(ours) == shapes(theirs)
    count, expected = (sum(p.numel() for p in net.parameters()) for net in (ours, theirs))
    assert count == expected


@pytest.mark.parametrize(
    ("architecture", "millions"),
    [
        ("resnet18", 11.69), ("resnet34", 21.80), ("resnet50", 25.56), ("vgg11", 132.87),
        ("vgg16", 138.37), ("vgg19", 143.68), ("vit_small", 22.05), ("vit_b_16", 86.57),
    ],
)  # fmt: skip
def test_parameter_counts_are_the_published_ones(architecture, millions):
    with torch.device("meta"):
        network = build(architecture, 1000, 1, 224)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


def test_a_full_size_resnet_computes_what_torchvision_s_does():
    torch.manual_seed(0)
    ours = build("resnet18", 1000, 1, 224).eval()
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18().eval()
    images = torch.randn(1, 3, 65, 65)
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs(images))


@pytest.mark.parametrize("image_size", [32, 64, 96])
@pytest.mark.parametrize("architecture", listed())
def test_a_narrow_network_learns_from_images_of_any_size(architecture, image_size):
    network = build(architecture, 3, 1 / 16, image_size)
    logits = network(torch.randn(2, 3, image_size, image_size))
    assert logits.shape == (2, 3)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("architecture", "first", "last"),
    [
        ("resnet18", [0.03633, -0.02103, -0.36076], [-0.10753, -0.09662, -0.13460]),
        ("vgg11", [-0.30612, 0.60535, 0.06110], [-0.07183, 0.01124, 0.09544]),
    ],
)
def test_initial_weights_of_a_seed_stay(architecture, first, last):
    """First draw and last: others would move every published number."""
    torch.manual_seed(3)
    parameters = list(build(architecture, 10, 1 / 16).parameters())
    torch.testing.assert_close(parameters[0].flatten()[:3], torch.tensor(first), atol=1e-5, rtol=0)
    torch.testing.assert_close(parameters[-1][-3:], torch.tensor(last), atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", CONVOLUTIONAL)
def test_width_scales_channels(architecture):
    with torch.device("meta"):
        readouts = [
            list(build(architecture, 10, width, size).parameters())[-2].shape[1]
            for size in (32, 224)
            for width in (0.25, 0.5)
        ]
    assert readouts[1] == 2 * readouts[0]
    assert readouts[3] == 2 * readouts[2]


@settings(deadline=None, max_examples=10)
@given(
    architecture=st.sampled_from(["vit_small", "vit_b_16"]),
    width=st.floats(1 / 64, 2),
)
def test_heads_of_a_transformer_have_about_64_units_each(architecture, width):
    with torch.device("meta"):
        network = build(architecture, 10, width)
    wanted = width * {"vit_small": 384, "vit_b_16": 768}[architecture]
    heads = network.encoder.layers[0].num_heads
    assert network.hidden_dim % heads == 0
    assert abs(network.hidden_dim - wanted) <= heads / 2
    assert network.mlp_dim == 4 * network.hidden_dim
    assert heads == 1 or 42 <= network.hidden_dim / heads <= 96
    if wanted % 64 == 0:
        assert network.hidden_dim == 64 * heads


@pytest.mark.parametrize("image_size", [32, 224])
def test_an_untrained_transformer_has_logits(image_size):
    network = build("vit_small", 10, 1 / 16, image_size).eval()
    with torch.inference_mode():
        logits = network(torch.randn(4, 3, image_size, image_size))
    assert (logits.std(0) > 0).all()


@pytest.mark.parametrize("architecture", listed())
def test_width_without_channels_is_refused(architecture):
    with pytest.raises(ValueError, match=f"width 0.001 leaves {architecture} without channels"):
        build(architecture, 10, 0.001)


@pytest.mark.parametrize(
    ("architecture", "image_size", "message"),
    [
        ("vgg11", 28, "32 pixels or more, not 28"),
        ("vit_small", 30, "multiple of 4"),
        ("vit_b_16", 100, "multiple of 16"),
    ],
)
def test_images_that_an_architecture_cannot_divide_are_refused(architecture, image_size, message):
    with pytest.raises(ValueError, match=message):
        build(architecture, 10, 1 / 16, image_size)
