"""scikit-learn's handwritten digits: small, and on every machine that has scikit-learn."""

import numpy as np

from clearprop.datasets.dataset import Part, frozen, one_hot, pixel_names
from clearprop.datasets.source import BuiltIn, Options, Source

__all__ = ["DIGITS"]

# A pixel counts the inked ones of a 4 × 4 block, 0 to 16.
DARKEST = 16


def _read(options: Options) -> Source:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    labels = bunch.target.astype(np.intp)
    return Source(
        name="digits",
        task="classification",
        train=Part(frozen(bunch.data / DARKEST), frozen(one_hot(labels, 10)), frozen(labels)),
        classes=tuple(range(10)),
        feature_names=pixel_names(8, 8),
        image_shape=(8, 8),
        scaling="none",
    )


DIGITS = BuiltIn("1,797 handwritten digits of 8 × 8 pixels, from scikit-learn", _read)
