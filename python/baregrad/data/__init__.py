"""Data sets that come with the package."""

from .digits import Digits, digits

__all__ = ["Digits", "digits"]
