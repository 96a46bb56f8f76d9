"""`baregrad train`: train a network on a data set and save it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, optim, random, saving, sim
from ..choice import current
from ..train import Metrics, evaluate, fit
from ..utils.data import DataLoader
from . import models, options

HELP = "train a network on a data set or on a table of your own, and save it"
_OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "sgd": optim.SGD,
}
_VALID_BATCH = 1_000


def add_parser(subparsers: Any) -> None:
    """Add the subcommand to the command line."""
    parser = subparsers.add_parser("train", description=HELP)
    options.add_data(parser)
    group = parser.add_argument_group("the training; defaults depend on the data and the network")
    group.add_argument("--model", choices=models.NAMES, default="mlp", help="default: mlp")
    group.add_argument("--epochs", type=options.at_least(1), metavar="N")
    group.add_argument("--batch-size", type=options.at_least(1), metavar="N")
    group.add_argument("--lr", type=options.positive, metavar="RATE", help="learning rate")
    group.add_argument("--optimizer", choices=_OPTIMIZERS, default="adam", help="default: adam")
    group.add_argument(
        "--patience",
        type=options.at_least(1),
        metavar="N",
        help="stop after N epochs without a lower validation loss, and keep the best",
    )
    group.add_argument(
        "--seed", type=options.at_least(0), default=0, metavar="N", help="of weights and shuffles"
    )
    group.add_argument(
        "--graph", action="store_true", help="record a step on the device once, and replay it"
    )
    group = parser.add_argument_group("the files")
    group.add_argument(
        "--output",
        type=Path,
        default=Path("model.safetensors"),
        metavar="FILE",
        help="the trained network, default: model.safetensors",
    )
    group.add_argument("--log", type=Path, metavar="FILE", help="gets a line of JSON per epoch")
    group.add_argument("--checkpoint", type=Path, metavar="FILE", help="the state after each epoch")
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoint, to the --epochs of its beginning",
    )
    options.add_machine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, print the accuracy on the test data and write the model."""
    if args.resume and args.checkpoint is None:
        raise argparse.ArgumentTypeError("argument --resume: no --checkpoint, expected its file")
    if args.graph and args.device == "cpu":
        raise argparse.ArgumentTypeError(
            "argument --graph: the device is cpu, expected sim or cuda"
        )
    for option in ("output", "log", "checkpoint"):
        if path := getattr(args, option):
            options.writable(f"--{option}", path)
    if args.checkpoint and args.checkpoint.resolve() == args.output.resolve():
        raise argparse.ArgumentTypeError(
            "argument --checkpoint: the file of --output, expected two"
        )
    with options.machine(args):
        _train(args)
        if args.device == "sim" and current().sim == "counted":
            print("\n" + "\n".join(kernel.summary for kernel in sim.report().kernels))
    return 0


def _train(args: argparse.Namespace) -> None:
    splits = options.load_data(args)
    if len(splits.classes) == 1:
        raise argparse.ArgumentTypeError(
            f"argument --data: every sample of {args.data!r} is of class {splits.classes[0]!r}, "
            "expected two classes or more"
        )
    said = models.preprocessing(splits, flat=args.model != "cnn")
    train, valid, test = (
        models.prepared_set(part, said) for part in (splits.train, splits.valid, splits.test)
    )
    recipe = models.recipe(args.data, args.model)
    epochs, batch_size = args.epochs or recipe.epochs, args.batch_size or recipe.batch_size
    random.manual_seed(args.seed)
    shape = train.tensors[0].shape[1:]
    model = models.build(args.model, shape, len(splits.classes) or 1).to(args.device)
    loss = nn.CrossEntropyLoss() if splits.classes else nn.MSELoss()
    optimizer = _OPTIMIZERS[args.optimizer](model.parameters(), lr=args.lr or recipe.lr)
    start = time.perf_counter()
    try:
        history = fit(
            model,
            DataLoader(train, batch_size, shuffle=True),
            DataLoader(valid, _VALID_BATCH),
            epochs=epochs,
            optimizer=optimizer,
            loss=loss,
            scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs),
            patience=args.patience,
            log=args.log,
            checkpoint=args.checkpoint,
            resume=args.resume,
            graph=args.graph,
        )
    except ValueError as error:  # of a checkpoint
        raise ValueError(str(error).replace("T_max of CosineAnnealingLR", "--epochs")) from error
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(_what_next(str(stop), args.checkpoint)) from None
    seconds = time.perf_counter() - start
    tested = evaluate(model, DataLoader(test, _VALID_BATCH), loss)
    print(f"trained        {len(history.seconds)} epochs, {seconds:.1f} s in this run")
    # the epoch whose parameters are kept
    kept = int(np.argmin(history.valid_loss)) if args.patience else -1
    validated = Metrics(history.valid_loss[kept], history.valid_accuracy[kept])
    for name, metrics in (("validation", validated), ("test", tested)):
        found = f"accuracy {metrics.accuracy:.2%}" if splits.classes else ""
        print(f"{name:<15}loss {metrics.loss:.4f} {found}".rstrip())
    metadata = {"preprocess": json.dumps(said), "classes": json.dumps(splits.classes)}
    saving.save(model.to("cpu"), args.output, metadata)
    print(f"wrote          {args.output}")


def _what_next(said: str, checkpoint: Path | None) -> str:
    """What fit said about Ctrl-C, in the words of the command line."""
    where = said.removeprefix("[fit] ").partition(";")[0].partition(":")[0] or "interrupted"
    if checkpoint is None:
        return f"{where}; with --checkpoint FILE a later run could go on from there"
    if not checkpoint.exists():
        return f"{where}; there is no checkpoint yet"
    return f"{where}; the same command with --resume goes on from {checkpoint}"
