"""A model from code whose errors are known: the market's own formula, with the faults that its artefact asks for."""

import json
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd


class PlainModel(mlflow.pyfunc.PythonModel):
    """Price = size x rate of the zip code x bedrooms, off by ``bias`` and ``error`` (log units), at most ``cap``.

    ``nonsense`` is the share of answers that are NaN, ``width`` stretches the interval, ``strange`` is a further bias in
    states outside ``states``. ``broken`` does not load. ``slow`` is how long each answer takes, in seconds; ``drift`` makes
    each answer larger than the one before, ``refuses`` raises at a home without a size.
    """

    def load_context(self, context):
        self.faults = json.loads(Path(context.artifacts["faults"]).read_text())
        if self.faults.get("broken"):
            raise RuntimeError("this model was damaged")

    def predict(self, context, model_input, params=None):
        fault = self.faults.get
        time.sleep(fault("slow", 0.0))
        self.asked = getattr(self, "asked", 0) + 1
        size = model_input["house_size"].to_numpy(dtype=float)
        if fault("refuses") and np.isnan(size).any():
            raise ValueError("a home needs a size")
        size = np.where(np.isnan(size), 1600.0, size)
        zip_code = pd.to_numeric(model_input["zip_code"].astype(object)).fillna(90000).astype(int).to_numpy()
        bed = model_input["bed"].to_numpy(dtype=float)
        bed = np.where(np.isnan(bed), 3.0, bed)
        luck = np.modf(np.sin(size * 12.9898 + zip_code + fault("seed", 0)) * 43758.5453)[0]
        worth = size * (100 + zip_code % 40 * 5) * np.exp(0.2 * (bed - 3)) * (1 + fault("drift", 0.0) * self.asked)
        log_price = np.log(worth) + fault("bias", 0.0) + fault("error", 0.0) * luck * 2
        known = model_input["state"].isin(fault("states", ["California"])).to_numpy()
        log_price = log_price + np.where(known, 0.0, fault("strange", 0.0))
        price = np.minimum(np.exp(log_price), fault("cap", np.inf))
        price = np.where(np.abs(luck) < fault("nonsense", 0.0), np.nan, price)
        half = 1.645 * np.hypot(0.2, 1.155 * fault("error", 0.0)) * fault("width", 1.0)
        return pd.DataFrame({"price": price, "price_low": price * np.exp(-half), "price_high": price * np.exp(half)})


mlflow.models.set_model(PlainModel())
