"""An experiment by its name: config.yaml and the overlay of that name, merged as Snakemake does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from convergent_learning.config.checks import checked
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.experiment import Experiment


def experiment_named(name: str, repository: Path = Path()) -> Experiment:
    """The experiment called `name`.

    Raises ConfigError for a config that the workflow would refuse, and ValueError for a name that
    is neither the default experiment's nor an overlay's.
    """
    return Experiment(checked(resolved_config(name, repository)))


def resolved_config(experiment: str, repository: Path = Path()) -> dict[str, Any]:
    """config.yaml of `repository` with the overlay of `experiment`.

    Raises ValueError for an experiment that has no overlay, ConfigError for an overlay that names
    another experiment.
    """
    config = _default_config(repository)
    if experiment == config["experiment"]:
        return config
    overlay = repository / _overlay(experiment)
    if not overlay.exists():
        known = sorted(path.stem for path in overlay.parent.glob("*.yaml"))
        raise ValueError(
            f"no experiment {experiment!r}; there are {', '.join([config['experiment'], *known])}"
        )
    merged = _merged(config, read_yaml(overlay))
    require_name_of_file(merged, overlay)
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys of a YAML file.

    Raises ConfigError naming file and line where it is no YAML, has no keys, or has one twice, of
    which YAML would take the last.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _KeysOnce)
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError([f"{path}{where}: {error.problem}"]) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([f"{path} is not YAML in UTF-8: {error}"]) from None
    if not isinstance(content, dict):
        raise ConfigError([f"{path} has no keys: write `experiment: {path.stem}` and others in it"])
    return content


class _KeysOnce(yaml.SafeLoader):
    """Refuses a mapping that has a key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key `{key.value}` stands here a second time; remove one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def overlay_option(experiment: str, repository: Path = Path()) -> list[str]:
    """What tells `snakemake` to run `experiment`: its overlay; nothing for the default one."""
    if experiment == _default_config(repository)["experiment"]:
        return []
    return ["--configfile", _overlay(experiment).as_posix()]


def require_name_of_file(config: dict[str, Any], overlay: Path) -> None:
    """Raise ConfigError if an overlay's experiment does not have the name of its file."""
    name = config.get("experiment", overlay.stem)
    if overlay.stem not in ("config", name):
        problem = (
            f"{overlay}: its experiment is called {name!r}, but an experiment has the name of its"
            f" file: write `experiment: {overlay.stem}` in it, or rename it"
        )
        raise ConfigError([problem])


def _default_config(repository: Path) -> dict[str, Any]:
    return read_yaml(repository / "config.yaml")


def _overlay(experiment: str) -> Path:
    return Path("workflow/experiments", f"{experiment}.yaml")


def _merged(config: Any, overlay: Any) -> Any:
    """Mappings key by key, anything else replaced: what `--configfile` does."""
    if not (isinstance(config, dict) and isinstance(overlay, dict)):
        return overlay
    keys = [*config, *(key for key in overlay if key not in config)]
    return {
        key: _merged(config.get(key), overlay[key]) if key in overlay else config[key]
        for key in keys
    }
