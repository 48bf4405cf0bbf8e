"""The paragraphs follow from the values: other values, other words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from convergent_learning.claims.definitions import CLAIMS, PARTS
from convergent_learning.claims.entries import is_whole, read_claims
from convergent_learning.report.findings import enough_networks, findings, markdown
from convergent_learning.verify.reference import read_config

GAIN = PARTS["C4b"].quantity


def entry(name, verdict="supported", estimate=0.2, low=0.1, high=0.3, **other):
    numbers = {"estimate": estimate, "ci_low": low, "ci_high": high, "threshold": 0.0, "n": 6}
    words = {"claim": f"claim {name}", "part": name[2:], "reason": "", "notes": []}
    words |= {"dataset": "cifar10", "figure": int(name[1]), "groups": ["resnet18", "vgg11"]}
    return {"id": name, **words, **numbers, "verdict": verdict} | other


def paragraph(*entries):
    [finding] = findings(list(entries))
    return finding.paragraph


def test_every_part_of_every_claim_has_its_words():
    claims = []
    for claim in CLAIMS:
        claims += [entry(part.id) for part in claim.parts]
        claims.append(entry(claim.id))
    assert [finding.id for finding in findings(claims)] == [claim.id for claim in CLAIMS]
    with pytest.raises(ValueError, match="C0a is not in"):
        findings([entry("C0a"), entry("C0")])


def test_words_follow_the_verdict():
    yes = paragraph(entry("C4b"), entry("C4"))
    assert yes.startswith(
        f"Training adds alignment (C4b, {GAIN}: 0.200, 95% interval 0.100 to 0.300"
    )
    assert yes.endswith("So the claim is supported at this scale.")
    no = paragraph(entry("C4b", "not supported", -0.2, -0.3, -0.1), entry("C4", "not supported"))
    assert no.startswith(f"Training takes alignment away (C4b, {GAIN}: −0.200")
    assert no.endswith("not supported at this scale: C4b decides.")
    wide = entry("C4b", "inconclusive", 0.1, -0.1, 0.3)
    maybe = paragraph(wide, entry("C4", "inconclusive"))
    assert maybe.startswith(f"Whether training adds alignment is open (C4b, {GAIN}: 0.100")
    assert "The estimate of C4b is on the claim's side" in maybe
    assert "because C4b is" in maybe
    below = entry("C4b", "inconclusive", -0.1, -0.3, 0.1)
    assert "on the other side" in paragraph(below, entry("C4", "inconclusive"))


def test_narrow_verdicts_and_intervals_without_width_are_said():
    assert "narrowly" not in paragraph(entry("C4b"), entry("C4"))
    assert "C4b holds narrowly: its interval begins at 0.005" in paragraph(
        entry("C4b", low=0.005), entry("C4")
    )
    failed = entry("C4b", "not supported", -0.2, -0.4, -0.005)
    assert "fails narrowly" in paragraph(failed, entry("C4", "not supported"))
    same = entry("C3a", estimate=1.0, low=1.0, high=1.0, threshold=0.8)
    assert "its interval has no width" in paragraph(same, entry("C3"))


def test_no_interval_gives_the_reason_and_no_number():
    reason = "no verdict: fewer than 3 families; x"
    missing = entry("C7a", "inconclusive", None, None, None, reason=reason, notes=["x"])
    text = paragraph(missing, entry("C7", "inconclusive"))
    assert "is open (C7a, no verdict: fewer than 3 families)" in text
    assert "None" not in text


def test_a_rise_of_early_layers_is_not_called_staying():
    assert "their mean score is 0.018 higher" in paragraph(
        entry("C6b", estimate=0.068, low=0.05, high=0.08), entry("C6")
    )
    assert "higher" not in paragraph(entry("C6b", estimate=0.03, low=0.01), entry("C6"))


def test_what_would_decide_an_open_part_is_said():
    wide = entry("C4b", "inconclusive", 0.1, -0.1, 0.3)
    text = paragraph(wide, entry("C4", "inconclusive"))
    assert "on the claim's side of the threshold; with estimate and spread as they are" in text
    assert "about 8 networks of each group would decide it." in text
    near = entry("C4b", "inconclusive", -0.01, -0.21, 0.19)
    assert "50 networks of each group would not decide it." in paragraph(near, entry("C4"))
    maps = entry("C3b", "inconclusive", 0.1, -0.1, 0.3, figure=4)
    [found] = findings([maps, entry("C3", "inconclusive", n=12)])
    assert "it rests on 6 networks of the 12 in all (`alignment.map_seeds`)" in (found.paragraph)
    conditions = entry("C6a", "inconclusive", 0.1, -0.1, 0.3)
    assert "more families of conditions would narrow its interval" in (
        paragraph(conditions, entry("C6", "inconclusive"))
    )


def test_a_part_that_is_moot_is_not_decided_by_more_networks():
    moot = entry("C4a", "inconclusive", reason="C4b is not supported")
    assert "networks of each group" not in paragraph(moot, entry("C4", "inconclusive"))


@given(estimate=st.floats(0.01, 1), wider=st.floats(1.01, 5), networks=st.integers(3, 10))
def test_the_fewest_networks_that_take_the_threshold_out(estimate, wider, networks):
    half = estimate * wider
    open_part = entry("C4b", estimate=estimate, low=estimate - half, high=estimate + half)
    enough = enough_networks(open_part | {"n": 2 * networks})
    assume(enough is not None)
    error = half / stats.t.ppf(0.975, 2 * networks - 2)

    def half_of(number):
        return error * np.sqrt(networks / number) * stats.t.ppf(0.975, 2 * number - 2)

    assert half_of(enough) < estimate <= half_of(enough - 1) * (1 + 1e-9)


def test_parts_that_do_not_count_decide_nothing():
    no = ("not supported", -0.2, -0.3, -0.1)
    parts = [entry(f"C8{letter}-simclr", *no) for letter in "abc"]
    assert paragraph(*parts, entry("C8", "not supported")).endswith(
        "not supported at this scale: C8a-simclr and C8b-simclr decide."
    )


def test_notes_are_said_once():
    both = "means a 0.1, b 0.2"
    text = paragraph(entry("C1a", notes=[both, "own"]), entry("C1b", notes=[both]), entry("C1"))
    assert text.count("means a 0.1, b 0.2") == 1
    assert "C1a: own" in text


def test_the_page_of_an_experiment_is_the_same_every_time(page):
    path = page.parent / "claims.json"
    command = [sys.executable, "-m", "convergent_learning.report.findings", str(path)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    assert (
        runs[0].stdout == runs[1].stdout == markdown(path.parent.name, json.loads(path.read_text()))
    )
    assert runs[0].stdout.count("## C") == len(CLAIMS)


def test_experiments_stand_side_by_side():
    own = [entry("C4b"), entry("C4")]
    other = [entry("C4b", "inconclusive", 0.1, -0.1, 0.3), entry("C4", "inconclusive")]
    lines = markdown("one", own, {"two": other}).splitlines()
    assert "| | `one` | `two` |" in lines
    assert "| **C4. claim C4** | **supported** | **inconclusive** |" in lines
    numbers = "supported<br>0.200 (0.100 to 0.300) | inconclusive<br>0.100 (−0.100 to 0.300)"
    assert f"| C4b: {GAIN} (threshold 0) | {numbers} |" in lines
    alone = markdown("one", own, {"two": []})
    assert alone.count("| not asked |") == 2
    assert "several experiments" not in markdown("one", own)


ROOT = Path(__file__).parents[2]


REFERENCES = [path for path in (ROOT / "results/reference").iterdir() if path.name != "smoke"]


@pytest.mark.parametrize("claims", [path / "claims.json" for path in REFERENCES], ids=str)
def test_the_committed_findings_are_those_of_the_committed_claims(claims):
    name = claims.parent.name
    out = ROOT / ("docs/findings.md" if name == "cifar10" else f"docs/findings_{name}.md")
    made = out.read_text(encoding="utf-8")
    evidence = ROOT / "results/reference/evidence/claims.json"
    others = {"evidence": read_claims(evidence)} if name == "cifar10" else {}
    configs = {each: read_config(ROOT / "results/reference" / each) for each in (name, *others)}
    made_again = markdown(name, read_claims(claims), others, configs)
    assert made == made_again, "`make findings` again"


@pytest.mark.parametrize(("name", "only"), [("cifar10", ""), ("evidence", ""), ("drivers", "C8")])
def test_the_readme_states_the_committed_verdicts(name, only):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [line] = [line for line in readme.splitlines() if line.startswith(f"- `{name}`: ")]
    listed = re.findall(r"(not supported|supported|inconclusive) (C\d(?:, C\d)*)", line)
    stated = {claim: verdict for verdict, claims in listed for claim in claims.split(", ")}
    claims = read_claims(ROOT / f"results/reference/{name}/claims.json")
    found = {claim["id"]: claim["verdict"] for claim in claims if is_whole(claim)}
    assert stated == {claim: found[claim] for claim in found if only in claim}
