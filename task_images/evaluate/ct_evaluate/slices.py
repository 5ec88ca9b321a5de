"""Parts of the hold-out by what is known before a sale: by inputs and by what the models answer, never by the price.

By true price, or by batch where batches are slices of the price, a champion that never saw dear homes wins the cheap
slices: it knows that prices are low. That is knowledge of the answer, and guarding it keeps the wrong champion for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from ct_decisions.promotion import SliceChange
from house_prices.model import Floats, numeric

Codes = npt.NDArray[np.intp]
Labels = tuple[Codes, list[str]]


def dimensions(holdout: pd.DataFrame, mean_answer: Floats, is_new: npt.NDArray[np.bool_]) -> Iterator[tuple[str, Labels]]:
    """Each dimension with the slice of each of (n,) rows (-1: of none) and the slices' names.

    ``mean_answer`` is the mean of both models' prices, ``is_new`` marks rows of batches that the champion has not seen: an
    area is new if no other row lies in it.
    """
    for name in ("state", "status"):
        codes, texts = pd.factorize(holdout[name].astype(object))
        yield name, (codes.astype(np.intp), [str(text) for text in texts])
    yield "size", _parts(numeric(holdout, "house_size"), 3)
    yield "prediction", _parts(mean_answer, 5)
    areas, _ = pd.factorize(holdout["zip_code"].astype(str).str[:3])
    known = np.zeros(int(areas.max(initial=-1)) + 1, dtype=bool)
    known[areas[~is_new]] = True
    yield "area", (np.where(known[areas], 0, 1).astype(np.intp), ["known", "new"])


def _parts(values: Floats, count: int) -> Labels:
    """Equal parts by size, smallest first; of none where the value is not known."""
    known = np.isfinite(values)
    edges = np.quantile(values[known], np.linspace(0, 1, count + 1)[1:-1]) if known.any() else np.empty(0)
    codes = np.where(known, np.searchsorted(edges, values, side="right"), -1).astype(np.intp)
    return codes, [str(number) for number in range(1, count + 1)]


def changes(challenger: Floats, champion: Floats, labels: Codes, dimension: str, slices: Labels) -> list[SliceChange]:
    """The change of the MAE in each slice that has rows, from (n,) absolute errors and (n,) codes of the zip codes.

    The standard error is that of a ratio of two sums over clusters (Cochran, Sampling Techniques, 1977, section 6.4), with
    G / (G - 1) for few clusters.
    """
    codes, names = slices
    found = []
    for number, name in enumerate(names):
        rows = codes == number
        if not rows.any():
            continue
        _, index = np.unique(labels[rows], return_inverse=True)
        ours, theirs = (np.bincount(index, weights=errors[rows]) for errors in (challenger, champion))
        total, areas = float(theirs.sum()), len(ours)
        if total <= 0:
            continue
        ratio = float(ours.sum()) / total
        small = areas / max(areas - 1, 1)
        error = float(np.sqrt(small * np.sum((ours - ratio * theirs) ** 2))) / total
        found.append(
            SliceChange(
                dimension=dimension, value=name, rows=int(rows.sum()), areas=areas, change=ratio - 1, standard_error=error
            )
        )
    return found
