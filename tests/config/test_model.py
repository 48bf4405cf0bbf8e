"""The model of the config against its own schema, and against the names that code knows."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convergent_learning.alignment.positions import MODES
from convergent_learning.config.checks import checked
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.group import Group, Overrides
from convergent_learning.config.model import Config
from convergent_learning.config.overlay import resolved_config
from convergent_learning.config.schema import json_schema
from convergent_learning.training.schedule import SCHEDULES

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
SCHEMA = json_schema()
EXPERIMENTS = ["cifar10", *(path.stem for path in (ROOT / "workflow/experiments").glob("*.yaml"))]


def values(about):
    """Values that a JSON schema allows."""
    if "$ref" in about:
        return values(SCHEMA["$defs"][about["$ref"].rsplit("/", 1)[1]])
    branches = about.get("anyOf") or about.get("oneOf")
    if branches:
        return st.one_of([values(branch) for branch in branches])
    if "const" in about or "enum" in about:
        return st.sampled_from(about.get("enum", [about.get("const")]))
    return KINDS[about["type"]](about)


def mappings(about):
    keys = {name: values(inner) for name, inner in about.get("properties", {}).items()}
    required = {name: keys.pop(name) for name in about.get("required", [])}
    return st.fixed_dictionaries(required, optional=keys)


def lists(about):
    limits = {"min_size": about.get("minItems", 0), "max_size": about.get("maxItems", 4)}
    unique = {"unique_by": json.dumps} if about.get("uniqueItems") else {}
    return st.lists(values(about["items"]), **limits, **unique)


def integers(about):
    return st.integers(about["minimum"], about.get("maximum", 100))


def numbers(about):
    """Floats and, where they are whole, some integers: a config may hold either."""
    above, below = about.get("exclusiveMinimum"), about.get("exclusiveMaximum")
    found = st.floats(
        about.get("minimum", above),
        about.get("maximum", below),
        exclude_min=above is not None,
        exclude_max=below is not None,
        allow_nan=False,
        allow_infinity=False,
    )
    return found.map(lambda value: int(value) if value.is_integer() else value)


def texts(about):
    if "pattern" in about:
        ascii_only = st.characters(codec="ascii")
        return st.from_regex(about["pattern"], fullmatch=True, alphabet=ascii_only)
    return st.text(min_size=about.get("minLength", 0), max_size=8)


KINDS = {
    "object": mappings,
    "array": lists,
    "integer": integers,
    "number": numbers,
    "string": texts,
    "boolean": lambda about: st.booleans(),
    "null": lambda about: st.none(),
}
CONFIGS = mappings(SCHEMA)


def written(config):
    """The text of a config as JSON, in which 1 and 1.0 differ."""
    return json.dumps(config, sort_keys=True)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(CONFIGS)
def test_the_model_accepts_what_its_schema_allows_and_gives_it_back(config):
    assert written(Config.model_validate(config).dump()) == written(config)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiments_are_accepted_and_given_back_as_they_are_written(experiment):
    config = resolved_config(experiment, ROOT)
    assert written(checked(config).dump()) == written(config)


def places(node, place=()):
    """Where the mappings of a config are, but for the factory's own arguments."""
    if isinstance(node, dict):
        yield place
    branches = node.items() if isinstance(node, dict) else enumerate(node)
    for part, inner in branches:
        if isinstance(inner, dict | list) and part != "arguments":
            yield from places(inner, (*place, part))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(CONFIGS, st.data())
def test_an_unknown_key_is_refused_wherever_it_is(config, data):
    place = data.draw(st.sampled_from(list(places(config))))
    node = config = copy.deepcopy(config)
    for part in place:
        node = node[part]
    node["surprise"] = 1
    with pytest.raises(ConfigError) as caught:
        checked(config)
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    (problem,) = str(caught.value).splitlines()[1:]
    assert problem.startswith(f"  - {text.lstrip('.') or 'top level'}: unknown key surprise;")


def allowed(model, key):
    """The words that a key may hold."""
    about = SCHEMA["$defs"][model]["properties"][key]
    return next(branch["enum"] for branch in [about, *about.get("anyOf", [])] if "enum" in branch)


def test_words_of_the_model_are_those_that_code_knows():
    assert allowed("Training", "schedule") == list(SCHEDULES)
    assert allowed("Activations", "positions") == list(MODES)


def with_networks(*entries):
    return DEFAULT | {"networks": [{"width": 1, "seeds": [1, 2]} | entry for entry in entries]}


def test_two_groups_may_share_an_architecture_under_names():
    config = checked(
        with_networks({"architecture": "vgg11"}, {"architecture": "vgg11", "name": "vgg11-wide_2"})
    )
    assert [group.name for group in config.networks] == ["vgg11", "vgg11-wide_2"]
    assert "name" not in config.dump()["networks"][0]


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([{}, {}], "networks[1].architecture: 'vgg11' is listed twice; list its seeds together"),
        ([{"name": "a"}, {"name": "a"}], "networks[1].name: 'a' is listed twice"),
        ([{"architecture": "vgg16"}, {"name": "vgg16"}], "networks[1].name: 'vgg16' is listed"),
        ([{"name": "a b"}], "networks[0].name: 'a b' should match"),
        ([{"name": "a.b"}], "networks[0].name: 'a.b' should match"),
    ],
)
def test_names_of_groups_are_unique_and_fit_for_files(entries, problem):
    config = with_networks(*({"architecture": "vgg11"} | entry for entry in entries))
    with pytest.raises(ConfigError) as caught:
        checked(config)
    assert problem in str(caught.value)


def test_a_group_is_trained_as_all_are_but_for_what_is_its_own():
    config = Config.model_validate(DEFAULT)
    group = Group(architecture="vgg11", seeds=[1], training=Overrides(learning_rate=1))
    training = group.own_training(config.training)
    assert training.dump() == DEFAULT["training"] | {"learning_rate": 1}


def test_what_may_be_left_out_may_not_be_null():
    with pytest.raises(ConfigError, match=r"networks\[0\].width: None is no value here"):
        checked(with_networks({"architecture": "vgg11", "width": None}))
