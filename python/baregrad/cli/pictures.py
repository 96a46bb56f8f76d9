"""Pictures as the inputs of a network."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..reading import most, regular
from ..typing import NDArray, Shape

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM")  # no EPS: Ghostscript would run it
_PLAIN = ("L", "RGB", "CMYK", "YCbCr")  # made smaller without a copy of another kind
_LARGE = 1024  # pixels: beyond them a picture is made smaller before anything else
_MOST_TEXT = 4 << 20  # bytes of what a PNG says of itself
_INK = 0.2  # of the strongest: what is fainter is paper


def read_picture(path: Path, shape: Shape, ink: int | None) -> NDArray:
    """A picture as (c, h, w), float32 in [0, 1]. ValueError, naming the file, if it is broken.

    PNG, JPEG, GIF, BMP, WebP or PPM; of an animated one the first. What has too many pixels for the
    size of its file is refused: reading takes no more memory than 20 times that, and 64 MB.

    Grey ones are bright on dark: others are inverted. With `ink`, and unless it has the right size,
    the drawing is cut out, fitted into ink x ink pixels and centred by its mass, as MNIST was made.
    Colour pictures are cut to the middle and scaled.
    """
    from PIL import Image, ImageOps, PngImagePlugin

    regular("predict", path)
    PngImagePlugin.MAX_TEXT_MEMORY = _MOST_TEXT
    channels, height, width = shape
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of harmless faults
            with Image.open(path, formats=_FORMATS) as file:
                file.draft(None, (_LARGE, _LARGE))  # a JPEG need not be unpacked to its full size
                pixel = 4 if file.mode in _PLAIN else 8  # bytes, with what it is converted to
                if pixel * file.width * file.height > most(path):
                    raise ValueError(
                        f"{file.width} x {file.height} pixels are too many for its size"
                    )
                picture = _opaque(ImageOps.exif_transpose(_smaller(file)))
    except FileNotFoundError:
        raise
    except (
        OSError, SyntaxError, ValueError, EOFError, MemoryError, struct.error,
        IndexError, KeyError, OverflowError, TypeError, Image.DecompressionBombError, zlib.error,
    ) as error:  # fmt: skip
        why = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"[predict] {path} cannot be read as a picture: {why}") from error
    if channels == 3:
        fitted = ImageOps.fit(picture.convert("RGB"), (width, height))
        return np.asarray(fitted, np.float32).transpose(2, 0, 1) / np.float32(255)
    grey = np.asarray(picture.convert("L"), np.float32) / np.float32(255)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) > 0.5:
        grey = 1 - grey
    if grey.shape != (height, width):
        grey = _centred(path, grey, height, width, min(ink or height, height, width))
    return grey[None]


def _smaller(file: Picture) -> Picture:
    """The picture, 8 bits a channel, with at most about a million pixels."""
    from PIL import Image

    factor = -(-max(file.size) // _LARGE)
    picture = file
    if file.mode.startswith("I"):  # 16 bits of grey, which convert("L") would clip
        picture = Image.fromarray((np.asarray(file) >> 8).clip(0, 255).astype(np.uint8))
    elif factor > 1 and file.mode in ("1", "P", "PA"):
        picture = file.convert("RGBA" if "transparency" in file.info else "RGB")
    return picture.reduce(min(factor, *file.size)) if factor > 1 else picture


def _opaque(file: Picture) -> Picture:
    """The pixels of a picture, on white where it is transparent."""
    from PIL import Image

    if "A" not in file.getbands() and "transparency" not in file.info:
        return file.copy()
    coloured = file.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", file.size, "white"), coloured)


def _centred(path: Path, grey: NDArray, height: int, width: int, box: int) -> NDArray:
    """grey (..., ...) bright on dark -> (height, width) with its drawing in a box, mass centred."""
    from PIL import Image

    grey = grey - np.median(grey)  # paper is 0
    strongest = grey.max()
    if strongest < 0.1:
        raise ValueError(f"[predict] {path} is blank, expected a drawing on plain paper")
    grey = (grey / strongest).clip(0, 1)
    rows, columns = (np.flatnonzero((grey > _INK).any(axis)) for axis in (1, 0))
    cut = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = box / max(cut.shape)
    h, w = (max(1, round(scale * length)) for length in cut.shape)
    drawing = Image.fromarray(cut).resize(
        (w, h), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    )
    ink = np.asarray(drawing).clip(0, 1)
    out = np.zeros((height, width), np.float32)
    mass = ink.sum()
    top = round(height / 2 - (ink.sum(axis=1) @ (np.arange(h) + 0.5)) / mass)
    left = round(width / 2 - (ink.sum(axis=0) @ (np.arange(w) + 0.5)) / mass)
    top, left = min(max(top, 0), height - h), min(max(left, 0), width - w)
    out[top : top + h, left : left + w] = ink
    return out
