"""Bad input is refused while the DAG is built; damaged files are named when they are read."""

import os
import subprocess

import h5py
import pytest
import yaml
from checkout import ROOT, network_folder


def test_a_bad_config_stops_before_any_job(checkout):
    overlay = checkout.folder / "workflow/experiments/typo.yaml"
    overlay.write_text("experiment: typo\nalignment:\n  metrics: [linear, prokrustes]\n")
    done = checkout.snakemake("-n", configfile="workflow/experiments/typo.yaml")
    assert done.returncode != 0
    assert "alignment.metrics[1]: unknown 'prokrustes'" in done.stdout
    assert "Traceback" not in done.stdout


def test_an_overlay_must_carry_the_name_of_its_file(checkout):
    overlay = checkout.folder / "workflow/experiments/mine.yaml"
    overlay.write_text("seed: 3\n")
    done = checkout.snakemake("-n", configfile="workflow/experiments/mine.yaml")
    assert done.returncode != 0
    assert "experiment: mine" in done.stdout


@pytest.mark.slow
def test_a_factory_that_makes_no_network_stops_before_any_job(checkout):
    """Already in a dry run, which builds it to know its size."""
    (checkout.folder / "own.py").write_text("def make():\n    print('noise')\n    return 3\n")
    overlay = checkout.overlay.with_name("own.yaml")
    network = {"architecture": "own", "factory": "own:make", "seeds": [1], "layers": ["a"]}
    overlay.write_text(yaml.safe_dump({"experiment": "own", "networks": [network]}))
    done = checkout.snakemake("-n", configfile="workflow/experiments/own.yaml")
    assert done.returncode != 0
    assert "`networks[].factory`: own:make returned int, not a torch.nn.Module" in done.stdout
    assert "Traceback" not in done.stdout
    assert "jobid" not in done.stdout


def test_a_dataset_file_of_ones_own_stops_before_any_job(checkout):
    path = checkout.folder / "results/datasets/digits.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file.create_group("train")
    done = checkout.snakemake("-n")
    assert done.returncode != 0
    assert "datasets[0].name: results/datasets/digits.h5 is damaged" in done.stdout
    assert "Traceback" not in done.stdout


def test_make_lists_the_experiments_that_exist():
    done = subprocess.run(
        ["make", "reproduce", "EXPERIMENT=unknown"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "no experiment 'unknown'; there are cifar10 " in done.stderr
    assert " smoke" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "target"),
    [
        (f"{network_folder('vgg11-seed1')}/step20.safetensors", "moments/digits/final"),
        ("results/smoke/moments/digits/training/id_step5.h5", "scores/digits_training.parquet"),
        ("results/smoke/scores/digits_final.parquet", "tables/fig4.csv"),
        ("results/smoke/stimuli/digits/id.h5", "moments/digits/final"),
    ],
)
def test_a_truncated_file_is_named_and_no_figure_drawn(own_copy, file, target):
    target = f"results/smoke/{target}"
    cut_in_half(own_copy.folder / file)
    done = own_copy.snakemake(target, "--forcerun", target)
    assert done.returncode != 0, done.stdout
    named = file.rpartition("/")[0] if "moments" in file else file
    assert named in done.stdout
    assert "delete it" in done.stdout


def cut_in_half(path):
    """With the time of the original: a newer file would be a reason to rebuild."""
    content, times = path.read_bytes(), os.stat(path)
    path.write_bytes(content[: len(content) // 2])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
