"""A model from code, self-contained as the real one is: so many dollars a square foot, as its artifact says."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class PricedBySize(PythonModel):
    def load_context(self, context):
        content = json.loads(Path(context.artifacts["model"], "model.json").read_text())
        self.dollars = float(content["dollars"])
        self.scale = float(content.get("scale", 1))

    def predict(self, context, model_input, params=None):
        size = model_input["house_size"].to_numpy(dtype=float, na_value=np.nan)
        price = np.where(np.isnan(size), 1000.0, size) * self.dollars
        return pd.DataFrame({"price": price, "price_low": price * 0.8 * self.scale, "price_high": price * 1.25})


set_model(PricedBySize())
