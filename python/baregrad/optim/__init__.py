"""Optimizers: they change parameters in place, by their gradients."""

from .adam import Adam

__all__ = ["Adam"]
