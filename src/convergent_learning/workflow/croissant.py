"""The tables of a reference as a data set that machines can read: Croissant metadata (1.0).

Akhtar et al. (2024), Croissant: a metadata format for ML-ready datasets;
https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from convergent_learning.files import replace_when_done
from convergent_learning.tables.schema import TABLES, Role, column, with_role
from convergent_learning.tables.storage import tables_in
from convergent_learning.verify.reference import CROISSANT, ORIGIN, write_sums

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        term: f"cr:{term}"
        for term in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject"),
            *("fileProperty", "fileSet", "format", "includes", "isLiveDataset", "jsonPath"),
            *("key", "md5", "parentField", "path", "recordSet", "references", "regex"),
            *("repeated", "replace", "samplingRate", "separator", "source", "subField"),
            "transform",
        )
    },
}
_TYPES = {str: "sc:Text", int: "sc:Integer", float: "sc:Float", bool: "sc:Boolean"}


def write_croissant(reference: Path, repository: Path) -> None:
    """Write `croissant.json` of the tables of `reference`, and list it in SHA256SUMS.

    Authors and licence come from CITATION.cff of `repository`; the date is that of the commit that
    made the reference.

    Raises
    ------
    FileNotFoundError
        If there is no such reference, or it lacks a table.
    ValueError
        If `repository` does not have that commit.
    """
    from convergent_learning.workflow.crate import commit_date  # RO-Crate takes a while to import

    origin = json.loads((reference / ORIGIN).read_text(encoding="utf-8"))
    described = croissant(reference, repository, commit_date(repository, origin["code"]["commit"]))
    with replace_when_done(reference / CROISSANT) as partial:
        text = json.dumps(described, indent=1, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")
    write_sums(reference)


def croissant(reference: Path, repository: Path, published: str) -> dict[str, Any]:
    """Croissant metadata of the tables of `reference`: a file and a record set each.

    published : the day, as YYYY-MM-DD
    """
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    origin = json.loads((reference / ORIGIN).read_text(encoding="utf-8"))
    version = origin["code"]["package"]
    authors = [author["name"] for author in citation["authors"]]
    files = dict(_files(reference))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"convergent-learning-{reference.name}",
        "description": f"Reference tables of the experiment {reference.name}: what its figures show"
        f" and its claims read. {citation['abstract'].strip()}",
        "creator": [{"@type": "sc:Organization", "name": author} for author in authors],
        "license": f"https://spdx.org/licenses/{citation['license']}",
        "keywords": citation["keywords"],
        "datePublished": published,
        "version": version,
        "isBasedOn": citation["references"][0]["url"],
        "citeAs": f"@software{{convergent_learning, title = {{{citation['title']}}}, author ="
        f" {{{{{' and '.join(authors)}}}}}, version = {{{version}}}}}",
        "distribution": [_file_object(path, reference) for path in files.values()],
        "recordSet": [
            _record_set(name, path.relative_to(reference)) for name, path in files.items()
        ],
    }


def _files(reference: Path) -> Iterator[tuple[str, Path]]:
    """Each table's name and file, compressed or not."""
    for name in tables_in(reference / "tables"):
        plain = reference / f"tables/{name}.csv"
        yield name, plain if plain.exists() else plain.with_suffix(".csv.gz")


def _file_object(path: Path, reference: Path) -> dict[str, Any]:
    content = path.read_bytes()
    compressed = ["application/gzip"] if path.suffix == ".gz" else []
    where = path.relative_to(reference).as_posix()
    return {
        "@type": "cr:FileObject",
        "@id": where,
        "name": path.name,
        "contentUrl": where,
        "contentSize": f"{len(content)} B",
        "encodingFormat": ["text/csv", *compressed],
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _record_set(table: str, file: Path) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": TABLES[table].row,
        "key": [{"@id": f"{table}/{name}"} for name in with_role(table, Role.KEY)],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table}/{name}",
                "name": name,
                "description": column(table, name).meaning,
                "dataType": _TYPES[column(table, name).type],
                "source": {"fileObject": {"@id": file.as_posix()}, "extract": {"column": name}},
            }
            for name in TABLES[table].columns
        ],
    }
