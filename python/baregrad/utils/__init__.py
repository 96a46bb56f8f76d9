"""PyTorch's place for data loading: `baregrad.utils.data`."""

from . import data

__all__ = ["data"]
