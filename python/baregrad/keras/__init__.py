"""The face of Keras over the package's own layers: what lecture 004 prints, and what comes next.

    from baregrad.keras import SGD, Activation, Dense, Sequential

Both vocabularies are understood, Keras 1's (`output_dim`, `nb_epoch`, `lr`) and today's (`units`,
`epochs`, `learning_rate`). Images are (n, height, width, channels) as in Keras; inside they are
channels first, so what leaves a Flatten has another order, and the same meaning.
"""

from .layers import Activation, Conv2D, Convolution2D, Dense, Dropout, Flatten, MaxPooling2D
from .models import History, Sequential, load_model, to_categorical
from .optimizers import SGD, Adam

__all__ = [
    "SGD",
    "Activation",
    "Adam",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "History",
    "MaxPooling2D",
    "Sequential",
    "load_model",
    "to_categorical",
]
