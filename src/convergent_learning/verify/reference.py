"""The committed reference of an experiment: how it is made, and the proof that nobody changed it.

`results/reference/<experiment>/` holds tables/ (large ones compressed), claims.json, config.json
(the resolved config), origin.json (what made it), times.csv (how long that took, by stage),
digests.csv (of stimuli and weights, see `fingerprints`), anchors/ (see `anchors`), runs/,
spread.csv.gz and agreement.json (see `agreement`), croissant.json (what the tables hold, for
machines), and SHA256SUMS of all of them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.figures import schema
from convergent_learning.files import sha256_of
from convergent_learning.tables.storage import tables_in
from convergent_learning.training.plan import PORTABLE, YOUNGER
from convergent_learning.verify import roles
from convergent_learning.verify.agreement import RUNS, measure_agreement
from convergent_learning.verify.anchors import anchor_files
from convergent_learning.verify.fingerprints import COLUMNS
from convergent_learning.verify.tolerances import AGREEMENT, SPREAD

SUMS = "SHA256SUMS"
ORIGIN = "origin.json"
TIMES = "times.csv"
DIGESTS = "digests.csv"
CROISSANT = "croissant.json"
_COMPRESS_ABOVE = 150_000
_ABSENT = object()
# Keys that another machine may set otherwise: what they move is covered by the tolerances.
_MACHINE_KEYS = {
    *("threads", "precision", "source", "trainings_per_gpu", "gpu"),
    *("keep_activations", "keep_moments", "networks_per_job"),
}


class BadReferenceError(ValueError):
    """The reference is missing, or not what was committed."""


def make_reference(
    results: Path,
    out: Path,
    config: dict[str, Any],
    origin: dict[str, Any],
    times: pd.DataFrame,
    digests: pd.DataFrame,
) -> None:
    """Make the reference `out` of the tables and claims of `results`.

    An older one is replaced once the new one is whole; its honest runs are kept.

    Parameters
    ----------
    results : path
        `results/<experiment>` of a finished run.
    config : dict
        The resolved config of that run.
    origin : dict
        What made it: commit, versions, machine.
    times : DataFrame
        How long that took, one row per stage.
    digests : DataFrame
        Of its stimuli and weights (`fingerprints.fingerprints`).
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".reference-") as scratch:
        made = Path(scratch) / out.name
        (made / "tables").mkdir(parents=True)
        for name in tables_in(results / "tables"):
            content = (results / f"tables/{name}.csv").read_bytes()
            if len(content) > _COMPRESS_ABOVE:
                # No time of day in the header: the same table gives the same file.
                compressed = gzip.compress(content, mtime=0)
                (made / f"tables/{name}.csv.gz").write_bytes(compressed)
            else:
                (made / f"tables/{name}.csv").write_bytes(content)
        shutil.copyfile(results / f"tables/{roles.TILES}", made / f"tables/{roles.TILES}")
        shutil.copyfile(results / "claims.json", made / "claims.json")
        _write_json(made / "config.json", config)
        _write_json(made / ORIGIN, origin)
        times.to_csv(made / TIMES, index=False, float_format="%.1f")
        digests.to_csv(made / DIGESTS, index=False)
        if (out / RUNS).is_dir():
            shutil.copytree(out / RUNS, made / RUNS)
        finish_reference(made)
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)


def finish_reference(reference: Path) -> dict[str, Any] | None:
    """Derive spreads and limits from the honest runs, and list all files with their digests.

    Returns what `agreement.measure_agreement` does.
    """
    config = read_config(reference)
    about = json.loads((reference / ORIGIN).read_text(encoding="utf-8"))
    measured = measure_agreement(reference, in_common(config), made_with(config, about))
    write_sums(reference)
    return measured


def in_common(config: dict[str, Any]) -> str:
    """Digest of what runs of an experiment have in common: its config but for machine and seeds."""
    compared = _comparable(config)
    networks = [{**entry, "seeds": len(entry["seeds"])} for entry in compared.get("networks", [])]
    text = json.dumps({**compared, "experiment": "", "networks": networks}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_portable(config: dict[str, Any]) -> bool:
    """Whether a run of this config gives the same weights on every machine that it can run on."""
    return config.get("training", {}).get("precision") == PORTABLE and not config.get("gpu")


def made_with(config: dict[str, Any], origin: dict[str, Any]) -> dict[str, Any]:
    """What of a run may differ between honest ones, besides its seeds."""
    training = {key: config.get("training", {}).get(key) for key in ("precision", "threads")}
    return training | {"processor": origin.get("machine", {}).get("cpu")}


def read_config(reference: Path) -> dict[str, Any]:
    """The config of the run that the reference was made of."""
    return json.loads((reference / "config.json").read_text(encoding="utf-8"))


def read_fingerprints(reference: Path) -> pd.DataFrame:
    """`fingerprints.fingerprints` of the run that the reference was made of."""
    path = reference / DIGESTS
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def write_sums(reference: Path) -> None:
    """List the files of `reference` with their digests."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(_digests(reference).items())]
    (reference / SUMS).write_text("".join(lines))


def check_digests(reference: Path) -> None:
    """Raise BadReferenceError naming files that SHA256SUMS lists otherwise or no reference has."""
    try:
        lines = (reference / SUMS).read_text().splitlines()
        listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError):
        raise BadReferenceError(
            f"{reference}/{SUMS} is missing or damaged: restore it with git"
        ) from None
    found = _digests(reference)
    wrong = {
        "changed": [name for name in listed if found.get(name, listed[name]) != listed[name]],
        "missing": [name for name in listed if name not in found],
        "not listed": [name for name in found if name not in listed],
    }
    wrong["of no reference"] = [name for name in found if name not in {*_names(reference)}]
    if any(wrong.values()):
        what = "; ".join(f"{key}: {', '.join(names)}" for key, names in wrong.items() if names)
        raise BadReferenceError(
            f"{reference} is not what {SUMS} lists ({what}): restore it with `git checkout --"
            f" {reference}`, or make it anew with `make reference EXPERIMENT={reference.name}`"
        )


def _names(reference: Path) -> Iterator[str]:
    """All files that a reference may hold, besides SHA256SUMS."""
    yield from ("claims.json", "config.json", ORIGIN, TIMES, DIGESTS, SPREAD, AGREEMENT, CROISSANT)
    yield from (f"{RUNS}/{path.name}" for path in (reference / RUNS).glob("*.h5"))
    yield f"tables/{roles.TILES}"
    yield from anchor_files(reference)
    for name in schema():
        yield from (f"tables/{name}.csv", f"tables/{name}.csv.gz")


def config_differences(reference: Path, config: dict[str, Any]) -> list[str]:
    """Keys of the config that differ from the reference's, machine keys left out."""
    old = read_config(reference)
    return [
        f"config: {key} is {_said(new)}, in the reference {_said(was)}"
        for key, was, new in _differences(_comparable(old), _comparable(config), "")
    ]


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """A config as after JSON without machine keys, and without keys that are younger than it may be
    and have the value that older ones stand for."""
    kept = _without_machine_keys(config)
    if not kept.get("recordings", True):
        del kept["recordings"]  # which older configs do not have, as the next
    if kept.get("alignment", {}).get("shuffles") == 1:
        del kept["alignment"]["shuffles"]
    known = ((key, value, YOUNGER.get(key)) for key, value in kept.get("training", {}).items())
    training = {key: value for key, value, was in known if str(value).lower() != str(was).lower()}
    return kept | {"training": training}


def _without_machine_keys(config: Any) -> Any:
    if isinstance(config, list | tuple):
        return [_without_machine_keys(value) for value in config]
    if not isinstance(config, dict):
        return config
    kept = {key: value for key, value in config.items() if key not in _MACHINE_KEYS}
    return {key: _without_machine_keys(value) for key, value in kept.items()}


def _said(value: Any) -> str:
    return "absent" if value is _ABSENT else repr(value)


def unpack_tables(reference: Path, out: Path) -> None:
    """Write the reference's tables, decompressed, and its claims into the results folder `out`."""
    (out / "tables").mkdir(parents=True, exist_ok=True)
    for path in sorted((reference / "tables").iterdir()):
        if path.suffix == ".gz":
            (out / "tables" / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        else:
            shutil.copyfile(path, out / "tables" / path.name)
    shutil.copyfile(reference / "claims.json", out / "claims.json")


def _digests(reference: Path) -> dict[str, str]:
    return {
        str(path.relative_to(reference)): sha256_of(path)
        for path in sorted(reference.rglob("*"))
        if path.is_file() and path != reference / SUMS
    }


def _differences(old: Any, new: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            where = f"{key}.{name}".lstrip(".")
            yield from _differences(old.get(name, _ABSENT), new.get(name, _ABSENT), where)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from _differences(was, now, f"{key}[{index}]")
    # A reference that is older than a key was made as with null.
    elif old != new and not (old is _ABSENT and new is None):
        yield key, old, new


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
