"""Speed and accuracy of training against the ordinary loop, measured side by side in one run.

    python benchmarks/training.py                  about a quarter of an hour on 2 quiet cores
    python benchmarks/training.py --rounds 0 --images 25000 --epochs 4     accuracy alone, longer

A quarter-width ResNet-18 on CIFAR-10. The ordinary loop is a map-style dataset with PIL transforms
in a DataLoader with two workers, and a float32 network in the plain memory format; ours and the
bare network compute in what `precision: auto` takes on this processor. SimCLR and MoCo, with their
augmentations, are compared with supervised training by the views that they train on, two of each
image. The arms are processes that wait for their turn; in each round every arm trains the same
number of images, and the medians over rounds are printed. The quick setting has fewer rounds,
epochs and seeds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scoreboard import Row, parser, show
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from convergent_learning.datasets.canonical import read_split
from convergent_learning.networks.architectures import build
from convergent_learning.randomness import derived_seed
from convergent_learning.training.loop import Run, train
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.training.precision import choose
from convergent_learning.training.schedule import learning_rate
from convergent_learning.training.state import TrainingState

CPU = torch.device("cpu")
BATCH = 128
STEPS_A_ROUND = 10
# Arm: what runs, processes side by side, threads of each.
ARMS = {
    "ordinary loop, 2 threads, 2 workers": ("ordinary", 1, 2),
    "ours, one job of 2 threads": ("ours", 1, 2),
    "ours, two jobs of 1 thread": ("ours", 2, 1),
    "bare forward and backward, 2 threads": ("bare", 1, 2),
    "bare forward and backward, two processes of 1 thread": ("bare", 2, 1),
    "SimCLR, two jobs of 1 thread": ("simclr", 2, 1),
    "MoCo, two jobs of 1 thread": ("moco", 2, 1),
}
ORDINARY, OURS_ONE, OURS_TWO, BARE_ONE, BARE_TWO, SIMCLR, MOCO = ARMS
VIEWS = {"simclr": 2, "moco": 2}  # of each image; 1 otherwise
# Peer of each row, what ours should reach.
RATIOS = {
    (OURS_TWO, ORDINARY): "≥ 2.0×",
    (OURS_ONE, ORDINARY): "",
    (OURS_TWO, BARE_TWO): "≥ 0.95×",
    (OURS_ONE, BARE_ONE): "≥ 0.95×",
    (SIMCLR, OURS_TWO): "≥ 0.4×",
    (MOCO, OURS_TWO): "",
}


def main():
    options = arguments()
    if options.arm:
        torch.set_num_threads(options.threads)
        serve(LOOPS[options.arm](options))
        return
    if not options.dataset.exists():
        missing = f"not measured: {options.dataset} is not there, run `make reproduce` first"
        show([Row("training", missing)], options)
        return
    with tempfile.TemporaryDirectory() as folder:
        chosen = choose(CPU, Path(folder) / "precision.json")
    options.precision = chosen.name
    rows = [Row("`training.precision: auto`", f"{chosen.name}: {chosen.reason}")]
    if options.rounds:
        rows += speed(options)
    if options.seeds:
        rows.append(accuracy(options))
    show(rows, options)


def arguments():
    options = parser(__doc__)
    quick = "--quick" in sys.argv
    options.add_argument("--dataset", type=Path, default=Path("results/datasets/cifar10.h5"))
    options.add_argument(
        "--rounds", type=int, default=4 if quick else 9, help="rounds of the speed; 0: none"
    )
    options.add_argument(
        "--seeds", type=int, default=2 if quick else 3, help="seeds of the accuracy; 0: none"
    )
    options.add_argument("--epochs", type=int, default=2 if quick else 4)
    options.add_argument("--images", type=int, default=10_000, help="training images, for accuracy")
    options.add_argument("--arm", choices=LOOPS, help=argparse.SUPPRESS)
    options.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    options.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    options.add_argument("--precision", default="float32", help=argparse.SUPPRESS)
    return options.parse_args()


def speed(options):
    """Views/s of ours, and its ratios to the ordinary loop and to the bare network."""
    processes = {arm: start(*how, options) for arm, how in ARMS.items()}
    views = {arm: [] for arm in ARMS}
    for turn in range(options.rounds + 1):
        print(f"round {turn} of {options.rounds} …", file=sys.stderr, flush=True)
        for arm, members in processes.items():
            seconds = [float(answer) for answer in ask(members, STEPS_A_ROUND)]
            if turn:  # the first round warms up
                trained = len(members) * STEPS_A_ROUND * BATCH * VIEWS.get(ARMS[arm][0], 1)
                views[arm].append(trained / max(seconds))
    for members in processes.values():
        ask(members, 0)
    rows = []
    for (ours, peer), limit in RATIOS.items():
        pairs = zip(views[ours], views[peer], strict=True)
        ratio = statistics.median(one / other for one, other in pairs)
        rows.append(
            Row(
                f"training, {ours}",
                f"{spread(views[ours], ours)} in {options.precision}",
                f"{ratio:.2f}× as fast",
                f"{peer}: {spread(views[peer], peer)}{'; ' if limit else ''}{limit}",
            )
        )
    return rows


def spread(rates, arm):
    """Median, least and most images/s of the rounds, or views/s where an image has several."""
    unit = "views" if ARMS[arm][0] in VIEWS else "images"
    return f"{statistics.median(rates):.0f} {unit}/s ({min(rates):.0f} … {max(rates):.0f})"


def accuracy(options):
    """Test accuracy that both loops reach."""
    reached, seconds = {"ours": [], "ordinary": []}, dict.fromkeys(("ours", "ordinary"), 0.0)
    seeds = list(range(1, options.seeds + 1))
    # Ours two at a time, the ordinary loop alone, each as it is fastest.
    turns = [("ours", seeds[i : i + 2], 1) for i in range(0, len(seeds), 2)]
    turns += [("ordinary", [seed], 2) for seed in seeds]
    for loop, together, threads in turns:
        print(f"accuracy of {loop}, seeds {together} …", file=sys.stderr, flush=True)
        members = [start(loop, 1, threads, options, seed)[0] for seed in together]
        began = time.perf_counter()
        reached[loop] += [float(answer) for answer in ask(members, -1)]
        seconds[loop] += time.perf_counter() - began
    ours, ordinary = (
        f"{np.mean(values):.3f} ({', '.join(f'{value:.3f}' for value in values)};"
        f" {seconds[loop]:.0f} s in all)"
        for loop, values in reached.items()
    )
    difference = 100 * (np.mean(reached["ours"]) - np.mean(reached["ordinary"]))
    return Row(
        f"test accuracy after {options.epochs} epochs of {options.images:,} images,"
        f" {options.seeds} seeds",
        ours,
        f"{difference:+.1f} points",
        f"ordinary loop: {ordinary}; within 1 point",
    )


def start(loop, count, threads, options, seed=1):
    """Processes of an arm, waiting for their turn."""
    command = [sys.executable, __file__, "--arm", loop, "--threads", str(threads)]
    command += ["--dataset", str(options.dataset), "--epochs", str(options.epochs)]
    command += ["--images", str(options.images), "--precision", options.precision]
    return [
        subprocess.Popen(
            [*command, "--seed", str(seed + rank)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def ask(members, steps):
    """Let the processes of an arm train `steps` at once (−1: all, 0: end) and answer."""
    for member in members:
        member.stdin.write(f"{steps}\n")
        member.stdin.flush()
    answers = [member.stdout.readline() for member in members]
    if steps <= 0:
        for member in members:
            member.communicate()
    return answers


def serve(loop):
    """Answer questions: the seconds of some steps, or the accuracy of the whole training."""
    for line in sys.stdin:
        steps = int(line)
        if steps == 0:
            return
        if steps < 0:
            print(loop.whole(), flush=True)
            return
        loop.warm_up()
        began = time.perf_counter()
        loop.steps(steps)
        print(time.perf_counter() - began, flush=True)


def the_plan(options):
    return TrainingPlan(
        dataset="cifar10",
        architecture="resnet18",
        width=0.25,
        seed=options.seed,
        experiment_seed=0,
        train_images=options.images,
        epochs=options.epochs,
        batch_size=BATCH,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        warmup=0.25,
        crop_padding=4,
        flip=True,
        precision=options.precision,
        checkpoints=(),
        optimizer="sgd",
        schedule="linear",
        label_smoothing=0.0,
        milestones=(),
        decay=0.1,
        objective=options.arm if options.arm in VIEWS else "supervised",
    )


class Ours:
    """The loop of the package."""

    def __init__(self, options):
        self.options, self.plan, self._run = options, the_plan(options), None

    def warm_up(self):
        if self._run is None:
            self._folder = tempfile.TemporaryDirectory()
            state = TrainingState(Path(self._folder.name))
            self._run = Run("ours", self.plan, self.options.dataset, state, CPU, lambda: "")
        self.steps(2)

    def steps(self, count):
        for _ in range(count):
            # Not past the epoch, whose evaluation the other arms do not make.
            self._run.advance(self._run.step % (self.plan.steps_per_epoch - 1))

    def whole(self):
        with tempfile.TemporaryDirectory() as folder:
            out, state = Path(folder) / "out", Path(folder) / "state"
            train(self.plan, self.options.dataset, out, state)
            return pd.read_csv(out / "epochs.csv").test_accuracy.iloc[-1]


class PilImages(Dataset):
    """Images and labels as torchvision's datasets hold them, with the usual transforms."""

    def __init__(self, split):
        self.split = split
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(split.mean.tolist(), split.std.tolist()),
            ]
        )

    def __len__(self):
        return len(self.split.labels)

    def __getitem__(self, index):
        image = Image.fromarray(self.split.images[index])
        return self.transform(image), int(self.split.labels[index])


class Ordinary:
    """Dataset, DataLoader, float32, plain memory format: the loop of most tutorials."""

    def __init__(self, options):
        self.options, self.plan = options, the_plan(options)
        subset_seed = derived_seed("training subset", 0)
        split = read_split(options.dataset, "train", options.images, subset_seed)
        torch.manual_seed(options.seed)
        self.network = build("resnet18", split.classes, self.plan.width)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=self.plan.learning_rate,
            momentum=self.plan.momentum,
            nesterov=True,
            weight_decay=self.plan.weight_decay,
        )
        self.loader = DataLoader(
            PilImages(split),
            batch_size=BATCH,
            shuffle=True,
            num_workers=2,
            drop_last=True,
            persistent_workers=True,
        )
        self.step, self._batches = 0, iter(())

    def warm_up(self):
        # More than the workers have ready, so that what is timed is made in that time.
        self.steps(6)

    def steps(self, count):
        for _ in range(count):
            batch = next(self._batches, None)
            if batch is None:
                self._batches = iter(self.loader)
                batch = next(self._batches)
            self._optimise(*batch)

    def _optimise(self, images, labels):
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step % self.plan.steps, self.plan)
        logits = self.network(images)
        loss = functional.cross_entropy(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        loss.item()
        (logits.argmax(1) == labels).float().mean().item()
        self.step += 1

    def whole(self):
        self.steps(self.plan.steps)
        test = read_split(self.options.dataset, "test")
        normalise = transforms.Compose(self.loader.dataset.transform.transforms[2:])
        self.network.eval()
        correct = 0
        with torch.inference_mode():
            for start in range(0, len(test.labels), 500):
                chosen = slice(start, start + 500)
                images = torch.stack([normalise(image) for image in test.images[chosen]])
                labels = torch.from_numpy(test.labels[chosen])
                correct += (self.network(images).argmax(1) == labels).sum().item()
        return correct / len(test.labels)


class Bare:
    """Forward and backward pass over one batch that stays where it is.

    In ours' memory format and precision.
    """

    def __init__(self, options):
        torch.manual_seed(options.seed)
        self.network = build("resnet18", 10, 0.25).to(memory_format=torch.channels_last)
        images = torch.randn(BATCH, 3, 32, 32)
        self.images = images.contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(10, (BATCH,))
        self.bfloat16 = options.precision == "bfloat16"

    def warm_up(self):
        self.steps(2)

    def steps(self, count):
        for _ in range(count):
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                logits = self.network(self.images)
            loss = functional.cross_entropy(logits.float(), self.labels)
            self.network.zero_grad()
            loss.backward()


LOOPS = {"ours": Ours, "ordinary": Ordinary, "bare": Bare, "simclr": Ours, "moco": Ours}


if __name__ == "__main__":
    main()
