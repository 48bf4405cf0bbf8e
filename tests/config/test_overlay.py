"""Experiments by their name: the default one is the one that config.yaml names."""

import pytest

from convergent_learning.config.errors import ConfigError
from convergent_learning.config.overlay import overlay_option, read_yaml, resolved_config


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "config.yaml").write_text("experiment: ours\nseed: 0\n")
    overlays = tmp_path / "workflow/experiments"
    overlays.mkdir(parents=True)
    (overlays / "cifar10.yaml").write_text("experiment: cifar10\nseed: 1\n")
    return tmp_path


def test_the_default_experiment_needs_no_overlay(repository):
    assert overlay_option("ours", repository) == []
    assert resolved_config("ours", repository)["seed"] == 0


def test_any_other_needs_its_own(repository):
    expected = ["--configfile", "workflow/experiments/cifar10.yaml"]
    assert overlay_option("cifar10", repository) == expected
    assert resolved_config("cifar10", repository)["seed"] == 1


def test_an_unknown_one_is_named_with_those_there_are(repository):
    with pytest.raises(ValueError, match="no experiment 'theirs'; there are ours, cifar10"):
        resolved_config("theirs", repository)


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("training:\n  epochs: 2\n  epochs: 3\n", 3, "the key `epochs` stands here a second time"),
        ("seed: 1\n\tepochs: 2\n", 2, "cannot start any token"),
    ],
)
def test_what_yaml_would_take_or_refuse_without_a_place_is_named(tmp_path, content, line, problem):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"mine.yaml, line {line}: .*{problem}"):
        read_yaml(path)


@pytest.mark.parametrize("content", [b"# nothing yet\n", b"- seed\n", b"a: \x01\n", b"a: \xff\n"])
def test_a_file_without_keys_is_named(repository, content):
    path = repository / "workflow/experiments/mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine.yaml (has no keys|is not YAML)"):
        resolved_config("mine", repository)
