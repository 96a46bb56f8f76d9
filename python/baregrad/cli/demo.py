"""`baregrad demo`: train a small network on the handwritten digits and say where the time went."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import nn, optim, random, saving
from ..data import digits
from ..profiling import Profile, profile
from ..train import History, Metrics, evaluate, fit
from ..utils.data import DataLoader
from . import options

_BATCH_SIZE = 32
_HIDDEN, _LEARNING_RATE = 256, 3e-3  # the best of six pairs on the validation digits
HELP = "train a small network on 1,797 handwritten digits and say where the time went"


@dataclass(frozen=True)
class Result:
    """A trained network and how it went; `seconds` are those of the profile, validation included."""

    model: nn.Module
    history: History
    profile: Profile
    seconds: float
    test: Metrics
    images: int  # trained on, over all epochs


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("demo", description=HELP)
    parser.add_argument(
        "--epochs", type=options.at_least(1), default=30, metavar="N", help="default: 30"
    )
    parser.add_argument(
        "--seed", type=options.at_least(0), default=0, metavar="N", help="of weights and shuffles"
    )
    parser.add_argument(
        "--output-dir", type=Path, default=Path(), metavar="DIR", help="where the files go"
    )
    options.add_machine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, print the table, write model.safetensors and learning_curve.png."""
    options.writable("--output-dir", args.output_dir / "model.safetensors")
    with options.machine(args):
        result = train(args.seed, args.epochs, args.device, progress=True)
    print(report(result))
    _write(result, args.output_dir)
    return 0


def train(seed: int, epochs: int = 30, device: str = "cpu", *, progress: bool = False) -> Result:
    """Train 64-256-10 with Adam. The split of the digits is the same for every seed.

    The test digits are looked at once, at the end.
    """
    random.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 10)).to(device)
    optimizer = optim.Adam(model.parameters(), lr=_LEARNING_RATE)
    data = digits()
    train_loader = DataLoader(data.train, _BATCH_SIZE, shuffle=True)
    valid_loader = DataLoader(data.valid, len(data.valid))
    start = time.perf_counter()
    with profile() as profiled:
        history = fit(
            model, train_loader, valid_loader, epochs=epochs, optimizer=optimizer, progress=progress
        )
    seconds = time.perf_counter() - start
    test = evaluate(model, DataLoader(data.test, len(data.test)))
    return Result(model, history, profiled, seconds, test, epochs * len(data.train))


def report(result: Result) -> str:
    """The final table: accuracy and speed, then the share of each kernel in the time."""
    training = sum(result.history.seconds)
    kernels = [(k.name, f"{k.calls:,}", k.seconds) for k in result.profile.kernels]
    rest = max(0.0, result.seconds - sum(seconds for _, _, seconds in kernels))
    rows = [*kernels, ("Python and the rest", "", rest)]
    total = sum(seconds for _, _, seconds in rows)
    return "\n".join(
        [
            "",
            f"test accuracy  {result.test.accuracy:.2%}",
            f"training       {training:.2f} s, {result.images / training:,.0f} images/s",
            "",
            f"{'kernel':<24}{'calls':>10}{'ms':>10}{'share':>9}",
            *(
                f"{name:<24}{calls:>10}{seconds * 1e3:>10.1f}{seconds / total:>9.1%}"
                for name, calls, seconds in rows
            ),
            "",
        ]
    )


def _write(result: Result, folder: Path) -> None:
    picture, weights = folder / "learning_curve.png", folder / "model.safetensors"
    said = {"image": (1, 8, 8), "ink": 8, "shape": (64,), "flat": True}
    classes = list("0123456789")
    metadata = {"preprocess": json.dumps(said), "classes": json.dumps(classes)}
    saving.save(result.model.to("cpu"), weights, metadata)
    print(f"wrote {weights}")
    try:
        result.history.plot(picture)
        print(f"wrote {picture}")
    except ImportError:
        print(result.history.text_plot())
        print("with matplotlib this is a picture: pip install matplotlib")
