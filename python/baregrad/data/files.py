"""Finding the files of a data set, and fetching them once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def cache() -> Path:
    """Where downloads are kept: $XDG_CACHE_HOME/baregrad, by default ~/.cache/baregrad."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "baregrad"


def find(
    op: str,
    layouts: Sequence[Sequence[str]],
    data_dir: str | os.PathLike[str] | None,
    url: str,
    sha256: Mapping[str, str],
) -> list[Path]:
    """The files of the first layout that a folder has in full; else the files of `sha256` by pooch.

    Looked into: `data_dir`, or without it $BAREGRAD_DATA and the cache; the subfolder `op` of each. A layout
    may give a file two names, "name|name.gz". FileNotFoundError if they are nowhere.
    """
    given = [data_dir] if data_dir is not None else [os.environ.get("BAREGRAD_DATA"), cache()]
    folders = [Path(root) / sub for root in given if root for sub in ("", op)]
    for folder in folders:
        for layout in layouts:
            choices = [[folder / name for name in names.split("|")] for names in layout]
            there = [next((path for path in paths if path.is_file()), None) for paths in choices]
            if all(there):
                return [path for path in there if path]
    looked = ", ".join(map(str, folders))
    if data_dir is not None:
        raise FileNotFoundError(f"[{op}] its files are not in {looked}, expected them there")
    try:
        import pooch
    except ImportError:
        raise FileNotFoundError(
            f"[{op}] its files are not in {looked}, expected them there, or "
            f'pip install "baregrad[data]": then they are downloaded from {url}'
        ) from None
    store = pooch.create(cache() / op, url, registry=dict(sha256), retry_if_failed=2)
    try:
        return [Path(store.fetch(name)) for name in sha256]
    except (OSError, ValueError) as error:  # no network, no room; another sum
        raise FileNotFoundError(
            f"[{op}] its files are not in {looked} and {url} did not give them: {error}"
        ) from error
