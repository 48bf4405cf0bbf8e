"""Paths and input functions: the only rule file with Python in it."""

import re
from pathlib import Path

from snakemake.exceptions import WorkflowError

from convergent_learning.activations.shown import Shown, ShownSample
from convergent_learning.alignment.registry import looks, metric, metrics
from convergent_learning.config.checks import checked
from convergent_learning.config.costs import Costs
from convergent_learning.config.design import Design
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import read_yaml, require_name_of_file
from convergent_learning.config.paths import DATASET, NAMES, PRECISION, RECORDING, AnchorPaths
from convergent_learning.config.recording_jobs import SCORED
from convergent_learning.datasets.catalogue import OfficialDataset, dataset_info
from convergent_learning.figures import figures
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.listed import code_of
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.report import interactive
from convergent_learning.stimuli import families
from convergent_learning.stimuli.user_sets import UserSet
from convergent_learning.tables.figure_data import Scores
from convergent_learning.training.pixels import IMAGES
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.workflow.code import code_digest
from convergent_learning.workflow.drawn import DrawingError, refuse_drawings
from convergent_learning.workflow.given_files import refuse_bad_files
from convergent_learning.workflow.stage_log import StageLog
from convergent_learning.workflow.stale_locks import clear_stale_locks

clear_stale_locks(Path(".snakemake"))

try:
    for path in map(Path, workflow.configfiles):
        read_yaml(path)
    for path in map(Path, workflow.overwrite_configfiles):
        require_name_of_file(config, path)
    DESIGN = Design(Experiment(checked(config)))
    refuse_drawings(Path(DESIGN.paths.results))
    refuse_bad_files(DESIGN.experiment.config)
    COSTS = Costs(DESIGN)
    COSTS.sizes.check()
except (ConfigError, DrawingError) as error:
    raise WorkflowError(str(error)) from None

for handler in workflow.logger_manager.get_log_handlers():
    if isinstance(handler, StageLog):
        handler.costs = COSTS

ENVIRONMENT = "../../envs/environment.yaml"
PATHS = DESIGN.paths
FIGURES = DESIGN.experiment.figures
LOOKS = {name: looks().get(name) for name in metrics()}
TABULATED_FIGURES = [n for n in FIGURES if figures()[n].DATA.scores is not Scores.NONE]
ANCHORS = AnchorPaths(config["experiment"])


def any_of(names):
    """A pattern that matches exactly `names`, and nothing where there are none."""
    patterns = [re.escape(name) for name in names]
    return f"(?:{'|'.join(patterns)})" if patterns else "(?!)"


wildcard_constraints:
    **{
        name: any_of(DESIGN.values(name))
        for name in ("network", "dataset", "block", "tile", "user_slug", "recording")
    },
    family=any_of(families()),
    slug="[^/]+",


def log(rule):
    """The log file of a rule's jobs."""
    return PATHS.log(NAMES[rule])


def benchmark(rule):
    """The benchmark file of a rule's jobs."""
    return PATHS.benchmark(NAMES[rule])


def files(rule, name):
    """The input files of a rule's jobs called `name`."""
    return lambda wildcards: DESIGN.job(rule, wildcards).inputs[name]


def value(rule, name):
    """The parameter of a rule's jobs called `name`."""
    return lambda wildcards: DESIGN.job(rule, wildcards).params[name]


def named_by_outputs(values):
    """A parameter that the names of the outputs say already: of itself no reason to run again."""
    return lambda wildcards, output: values


def code(script, *loaded):
    """The digest of the code that a script runs, and of what it loads by name, for params.

    The classes of what params hold count as loaded: the job calls their methods.
    """
    return code_digest(Path(workflow.basedir) / "workflow/scripts" / script, *loaded)


def figure_code(script, number, name):
    """The digest of a script and of the `name` that it loads from the module of a figure."""
    return code(script, f"{figures()[number].__name__}:{name}")


def page_code():
    """The digest of the code of the page, with its figures and what is interactive of them."""
    beside = filter(None, map(interactive.name_of, FIGURES))
    return code("report.py", *(figures()[number].__name__ for number in FIGURES), *beside)


def taught(training):
    """The architectures of a training job, objectives, and families that images are of."""
    loaded = code_of(plan.architecture for plan in training.params["plans"])
    for plan in training.params["plans"]:
        loaded.append(f"convergent_learning.training.objectives.{plan.objective}")
        if plan.images not in IMAGES:
            loaded.append(families()[plan.images.partition(" ")[0]].transform)
    return dict.fromkeys(loaded)


def readers(wildcards):
    """The function that reads an official dataset; none for the user's own."""
    info = dataset_info(DESIGN.job("dataset", wildcards).params["entry"])
    return [info.reader] if isinstance(info, OfficialDataset) else []


def architectures(job):
    """The architectures of the networks that a job shows stimuli to."""
    samples = job.params.get("samples") or [job.params["sample"]]
    shown = [*samples, *(job.params.get("identity") or ())]
    return sorted({network.architecture for sample in shown for network in sample.networks})


def shown_code(script, rule):
    """The digest of the script of a rule that shows stimuli, and of all that it builds for that."""
    return lambda wildcards: code(
        script, Shown, ShownSample, *code_of(architectures(DESIGN.job(rule, wildcards)))
    )


def response_code(rule):
    """The digest of the code that makes responses and their moments, by architecture."""

    def of_job(wildcards):
        return {
            name: code("moments.py", Shown, ShownSample, *code_of([name]))
            for name in architectures(DESIGN.job(rule, wildcards))
        }

    return of_job


def metric_code(rule):
    """The digest of the code of each metric that a job scores, and of all context metrics."""

    def of_job(wildcards):
        asked = {name: [name] for name in DESIGN.experiment.metrics}
        if DESIGN.job(rule, wildcards).params["context"]:
            asked["context"] = metrics(context=True)
        return {
            name: code("scores.py", *(f for each in names for f in metric(each).functions))
            for name, names in asked.items()
        }

    return of_job


def mapping_code(wildcards):
    """The digest of the code that scores a recording, and of the metrics that map onto it."""
    job = DESIGN.job("recording_scores", wildcards)
    functions = (f for name in job.params["asked"]["metrics"] for f in metric(name).functions)
    return code("recording_scores.py", Shown, ShownSample, *code_of(architectures(job)), *functions)


def memory(rule):
    """Megabytes that a job needs by the plan, more with every attempt."""
    return lambda wildcards, attempt: attempt * COSTS.memory_to_ask(DESIGN.job(rule, wildcards))


def minutes(rule):
    """Minutes that a job needs by the plan, more with every attempt."""
    return lambda wildcards, attempt: attempt * COSTS.minutes_to_ask(DESIGN.job(rule, wildcards))
