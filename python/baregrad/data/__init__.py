"""Data sets: some by name, some from your files."""

from .cifar import cifar100
from .digits import digits
from .mnist import mnist
from .splits import Splits
from .tables import from_csv, from_npz

__all__ = ["Splits", "cifar100", "digits", "from_csv", "from_npz", "mnist"]
