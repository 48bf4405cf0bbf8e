"""The experiment as a research object: RO-Crate metadata beside its products (RO-Crate 1.3)."""

from __future__ import annotations

import json
import mimetypes
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from rocrate.model import ContextEntity, Person, SoftwareApplication
from rocrate.rocrate import ROCrate

from convergent_learning.files import replace_when_done
from convergent_learning.words import counted
from convergent_learning.workflow.origin import origin

_RECORDS, _OWN_RECORD = "provenance/**/*.json", "provenance/research_object.json"


def write_crate(
    config: dict[str, Any], results: Path, products: Iterable[Path], repository: Path
) -> None:
    """Write `results/ro-crate-metadata.json`: products, software, study reproduced, licence.

    Authors, licence and the study come from CITATION.cff of `repository`; the date is that of the
    commit, so that the same results give the same file.
    """
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    about = origin(repository)
    crate = ROCrate()
    study = _study(crate, citation["references"][0])
    software = _software(crate, citation, about)
    files = [
        crate.add_file(
            dest_path=str(path.relative_to(results)),
            properties={
                "name": str(path.relative_to(results)),
                "encodingFormat": mimetypes.guess_type(path.name)[0] or "text/plain",
            },
        )
        for path in sorted({*products, *results.glob(_RECORDS)} - {results / _OWN_RECORD})
    ]
    machine = about["machine"]
    run = ContextEntity(
        crate,
        "#run",
        {
            "@type": "CreateAction",
            "name": f"snakemake, experiment {config['experiment']}",
            "instrument": {"@id": software.id},
            "result": [{"@id": file.id} for file in files],
            "description": f"on {machine['cpu']}, {counted(machine['cores'], 'core')}",
        },
    )
    crate.add(run)
    root = crate.root_dataset
    crate.name = f"Convergent learning: experiment {config['experiment']}"
    crate.description = citation["abstract"].strip()
    crate.license = f"https://spdx.org/licenses/{citation['license']}"
    root["datePublished"] = commit_date(repository, about["code"]["commit"])
    root["isBasedOn"] = {"@id": study.id}
    root["mentions"] = {"@id": run.id}
    with replace_when_done(results / "ro-crate-metadata.json") as partial:
        text = json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")


def _software(crate: ROCrate, citation: dict[str, Any], about: dict[str, Any]) -> ContextEntity:
    code = about["code"]
    changed = " with local changes" if code["local_changes"] else ""
    return crate.add(
        SoftwareApplication(
            crate,
            "#convergent-learning",
            {
                "name": citation["title"],
                "version": code["package"],
                "identifier": f"commit {code['commit']}{changed}" if code["commit"] else "",
                "author": [author["name"] for author in citation["authors"]],
                "license": f"https://spdx.org/licenses/{citation['license']}",
                "softwareRequirements": [f"{k} {v}" for k, v in about["versions"].items()],
            },
        )
    )


def _study(crate: ROCrate, reference: dict[str, Any]) -> ContextEntity:
    authors = [
        crate.add(
            Person(
                crate,
                f"#{author['family-names'].lower()}",
                {"name": f"{author['given-names']} {author['family-names']}"},
            )
        )
        for author in reference["authors"]
    ]
    return crate.add(
        ContextEntity(
            crate,
            reference["url"],
            {
                "@type": "ScholarlyArticle",
                "name": reference["title"],
                "author": [{"@id": author.id} for author in authors],
                "datePublished": str(reference["year"]),
            },
        )
    )


def commit_date(repository: Path, commit: str | None) -> str:
    """Day of a commit as YYYY-MM-DD; 1970-01-01 where a product was made outside a git checkout.

    Raises
    ------
    ValueError
        If `repository` does not have the commit, as a shallow clone may not.
    """
    if commit is None:
        return "1970-01-01"
    command = ["git", "-C", str(repository), "show", "--no-patch", "--format=%cs", commit]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except subprocess.CalledProcessError:
        raise ValueError(
            f"{repository} has no commit {commit}, whose date is needed: if the clone is shallow,"
            " run `git fetch --unshallow`"
        ) from None
