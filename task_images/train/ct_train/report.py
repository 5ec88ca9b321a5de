"""What a person wants to see of a trained model: SHAP, predictions against prices, residuals, interval coverage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from house_prices.model import FEATURES, Floats, HousePriceModel

mpl.use("Agg")

SHAP_ROWS = 400


def write_report(
    model: HousePriceModel, rows: pd.DataFrame, predicted: pd.DataFrame, directory: Path, seed: int
) -> dict[str, float]:
    """Write plots and tables about (n,) rows that the model was not trained on, with its answers.

    Files: ``shap_beeswarm.png``, ``shap_bar.png``, ``predicted_against_price.png``, ``residuals.png``,
    ``coverage.json`` and ``reliance.json`` (share of the mean absolute SHAP value by the user's column, which is returned).
    """
    sample = rows.sample(min(SHAP_ROWS, len(rows)), random_state=seed) if len(rows) else rows
    reliance: dict[str, float] = {}
    if len(sample):
        features = model.features(sample)
        values, base = model.shap_values(features)
        _draw_shap(features, values, base, directory)
        size = model.by_column(values, base, sample.index).drop(columns="base").abs().mean()
        reliance = {
            str(name): float(value) for name, value in (size / max(size.sum(), 1e-12)).sort_values(ascending=False).items()
        }
        _draw_errors(rows["price"].to_numpy(), predicted, directory)
        (directory / "coverage.json").write_text(json.dumps(coverage_by_range(rows["price"].to_numpy(), predicted)))
    (directory / "reliance.json").write_text(json.dumps(reliance))
    return reliance


def coverage_by_range(price: Any, predicted: pd.DataFrame) -> list[dict[str, float]]:
    """Share of prices inside the 90 % interval in each fifth of the predicted price."""
    order = np.argsort(predicted["price"].to_numpy(), kind="stable")
    table = []
    for part in np.array_split(order, 5):
        if len(part) == 0:
            continue
        low, high = predicted["price_low"].to_numpy()[part], predicted["price_high"].to_numpy()[part]
        inside = (price[part] >= low) & (price[part] <= high)
        answer = predicted["price"].to_numpy()[part]
        table.append(
            {"from": float(answer.min()), "to": float(answer.max()), "rows": len(part), "coverage": float(inside.mean())}
        )
    return table


def _draw_shap(features: pd.DataFrame, values: Floats, base: float, directory: Path) -> None:
    import shap
    from matplotlib import pyplot

    explanation = shap.Explanation(
        values=values, base_values=np.full(len(features), base), data=features.to_numpy(), feature_names=list(FEATURES)
    )
    for name, draw in (("shap_beeswarm", shap.plots.beeswarm), ("shap_bar", shap.plots.bar)):
        draw(explanation, max_display=15, show=False)
        figure = pyplot.gcf()
        figure.suptitle("What moves the log price (SHAP), homes of the hold-out")
        figure.savefig(directory / f"{name}.png", dpi=90, bbox_inches="tight")
        pyplot.close(figure)


def _draw_errors(price: Any, predicted: pd.DataFrame, directory: Path) -> None:
    from matplotlib import pyplot

    answer = predicted["price"].to_numpy()
    figure, axes = pyplot.subplots(figsize=(6, 6))
    axes.hexbin(price, answer, xscale="log", yscale="log", gridsize=50, mincnt=1, cmap="viridis")
    axes.axline((price.min(), price.min()), (price.max(), price.max()), color="black", linewidth=1)
    axes.set(xlabel="price, dollars", ylabel="predicted price, dollars", title="Predicted against real price, hold-out")
    figure.savefig(directory / "predicted_against_price.png", dpi=90, bbox_inches="tight")
    pyplot.close(figure)
    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.hist(np.clip(np.log(answer) - np.log(price), -2, 2), bins=80)
    axes.axvline(0, color="black", linewidth=1)
    axes.set(xlabel="log(predicted) - log(price)", ylabel="homes", title="Errors, hold-out")
    figure.savefig(directory / "residuals.png", dpi=90, bbox_inches="tight")
    pyplot.close(figure)
