"""`baregrad evaluate`: the loss and accuracy of a saved network on test data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..train import evaluate
from ..utils.data import DataLoader, TensorDataset
from . import models, options
from .predict import load_network, naming

HELP = "loss and accuracy of a saved network on the test part of a data set"


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("evaluate", description=HELP)
    parser.add_argument("model", type=Path, help="what `baregrad train` wrote")
    options.add_data(parser)
    parser.add_argument("--all", action="store_true", help="score all samples, not the test part")
    options.add_machine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the line."""
    network = load_network(args.model)
    splits = options.load_data(args, network.said if "columns" in network.said else None)
    if len(splits.classes) != len(network.classes):
        raise ValueError(
            f"[evaluate] {args.data} has {len(splits.classes)} classes, expected "
            f"{len(network.classes)} like {args.model}"
        )
    loss = nn.CrossEntropyLoss() if splits.classes else nn.MSELoss()
    with options.machine(args):
        parts = (splits.train, splits.valid, splits.test) if args.all else (splits.test,)
        columns = zip(*(part.tensors for part in parts), strict=True)
        whole = TensorDataset(*(np.concatenate([t.numpy() for t in c]) for c in columns))
        test = models.prepared_set(whole, network.said)
        with naming(args.model):
            metrics = evaluate(network.model.to(args.device), DataLoader(test, 1_000), loss)
    found = f"accuracy {metrics.accuracy:.2%}" if splits.classes else ""
    name = "all" if args.all else "test"
    print(f"{name}  {len(test):,} samples  loss {metrics.loss:.4f} {found}".rstrip())
    return 0
