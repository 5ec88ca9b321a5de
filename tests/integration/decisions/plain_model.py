"""A model from code whose errors are known: the market's own formula, with the faults that its artefact asks for."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd


class PlainModel(mlflow.pyfunc.PythonModel):
    """Price = size x rate of the zip code x bedrooms, off by ``bias`` and ``error`` (log units), at most ``cap``.

    ``nonsense`` is the share of answers that are NaN, ``width`` stretches the interval, ``strange`` is a further bias in
    states outside ``states``. ``broken`` does not load.
    """

    def load_context(self, context):
        self.faults = json.loads(Path(context.artifacts["faults"]).read_text())
        if self.faults.get("broken"):
            raise RuntimeError("this model was damaged")

    def predict(self, context, model_input, params=None):
        size = model_input["house_size"].to_numpy(dtype=float)
        zip_code = model_input["zip_code"].astype(int).to_numpy()
        fault = self.faults.get
        luck = np.modf(np.sin(size * 12.9898 + zip_code + fault("seed", 0)) * 43758.5453)[0]
        worth = size * (100 + zip_code % 40 * 5) * np.exp(0.2 * (model_input["bed"].to_numpy(dtype=float) - 3))
        log_price = np.log(worth) + fault("bias", 0.0) + fault("error", 0.0) * luck * 2
        known = model_input["state"].isin(fault("states", ["California"])).to_numpy()
        log_price = log_price + np.where(known, 0.0, fault("strange", 0.0))
        price = np.minimum(np.exp(log_price), fault("cap", np.inf))
        price = np.where(np.abs(luck) < fault("nonsense", 0.0), np.nan, price)
        half = 1.645 * np.hypot(0.2, 1.155 * fault("error", 0.0)) * fault("width", 1.0)
        return pd.DataFrame({"price": price, "price_low": price * np.exp(-half), "price_high": price * np.exp(half)})


mlflow.models.set_model(PlainModel())
