"""What evidence and metrics are called in tables: English and Spanish by their code."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "es")

EVIDENCE: Mapping[str, tuple[str, str]] = {
    "error_ratio": (
        "Champion's error on the batch ÷ error at its promotion",
        "Error del campeón en el lote ÷ error al promoverlo",
    ),
    "log_bias": ("Champion's bias on the batch (log price)", "Sesgo del campeón en el lote (log del precio)"),
    "interval_coverage": (
        "Share of prices inside the champion's 90 % range",
        "Parte de los precios dentro del rango del 90 % del campeón",
    ),
    "outside_support": (
        "Share of prices outside of the champion's training range",
        "Parte de los precios fuera de lo que el campeón vio al entrenar",
    ),
    "unseen_status": ("Share of rows with an unseen status", "Parte de las filas con un estado de venta nunca visto"),
    "unseen_state": ("Share of rows in an unseen state", "Parte de las filas en un estado nunca visto"),
    "unseen_zip3": ("Share of rows in an unseen zip area", "Parte de las filas en una zona postal nunca vista"),
    "unsound_answers": ("Share of new homes without a sound price", "Parte de las viviendas nuevas sin un precio válido"),
    "domain_auc": ("AUC of telling new homes from known ones", "AUC al distinguir viviendas nuevas de conocidas"),
    "psi": ("Population stability index of the column", "Índice de estabilidad (PSI) de la columna"),
    "wasserstein": ("Shift of the column in standard deviations", "Desplazamiento de la columna en desviaciones estándar"),
    "schema_changed": ("Share of rows in which a column has changed", "Parte de las filas en que cambió una columna"),
    "volume": (
        "New homes since the champion ÷ its training homes",
        "Viviendas nuevas desde el campeón ÷ las de su entrenamiento",
    ),
    "new_rows": ("New homes in the batch", "Viviendas nuevas en el lote"),
    "leakage": ("Homes both in training and in the test rows", "Viviendas a la vez en entrenamiento y en prueba"),
    "sound_answers": ("Answers that are no valid price", "Respuestas que no son un precio válido"),
    "baseline": ("MAE against the simple baseline", "MAE frente a la línea base simple"),
    "superiority": ("MAE against the champion", "MAE frente al campeón"),
    "rmse": ("RMSE against the champion", "RMSE frente al campeón"),
    "relative_error": ("Relative error against the champion", "Error relativo frente al campeón"),
    "bias": ("Bias (log price)", "Sesgo (log del precio)"),
    "intervals": ("Share of prices inside the 90 % range", "Parte de los precios dentro del rango del 90 %"),
    "new_batch": ("MAE against the champion on the new batch", "MAE frente al campeón en el lote nuevo"),
    "rest": ("MAE against the champion on the other rows", "MAE frente al campeón en las demás filas"),
    "lineage": ("Facts of the lineage that are not known", "Datos del linaje que no se conocen"),
    "identifiers": (
        "Inputs that identify a home or hold its price",
        "Entradas que identifican una vivienda o contienen su precio",
    ),
    "signature": ("Differences of the signature from the API", "Diferencias de la firma con la API"),
    "libraries": ("Libraries in another version than the model's", "Bibliotecas en otra versión que la del modelo"),
    "loading": ("Failures to load in the serving environment", "Fallos al cargar en el entorno de servicio"),
    "load_seconds": ("Time to load", "Tiempo de carga"),
    "artifact_size": ("Size of the model's files", "Tamaño de los archivos del modelo"),
    "requests": ("Requests without a sound price", "Peticiones sin un precio válido"),
    "latency": ("Time for one row (95th percentile)", "Tiempo por fila (percentil 95)"),
    "memory": ("Peak of the memory", "Máximo de memoria"),
    "parity": ("Largest difference from the answers in training", "Mayor diferencia con las respuestas del entrenamiento"),
    "repeatability": (
        "Largest difference between answers to one request",
        "Mayor diferencia entre respuestas a una misma petición",
    ),
    "prd": ("PRD, how much further from 1", "PRD, cuánto más lejos de 1"),
    "prb": ("PRB, how much further from 0", "PRB, cuánto más lejos de 0"),
    "slices": ("MAE against the champion in the worst slice", "MAE frente al campeón en el peor segmento"),
    "interval_fifths": (
        "Share inside the 90 % range in the worst fifth",
        "Parte dentro del rango del 90 % en el peor quinto",
    ),
    "too_good": ("R² of log price above the champion's", "R² del log del precio por encima del campeón"),
    "single_column": ("R² of log price by one input alone", "R² del log del precio con una sola entrada"),
    "blast_radius": (
        "Share of recent answers that would move by much",
        "Parte de las respuestas recientes que cambiaría mucho",
    ),
    "approval": ("The policy asks a person every time (1: yes)", "La política pregunta siempre a una persona (1: sí)"),
    "serving_errors": ("Share of its last requests without an answer", "Parte de sus últimas peticiones sin respuesta"),
    "serving_latency": (
        "Time of requests for one home (95th percentile)",
        "Tiempo de las peticiones de una vivienda (percentil 95)",
    ),
    "error_new_homes": (
        "Error against the version before on homes new to both",
        "Error frente a la versión anterior en viviendas nuevas para ambas",
    ),
    "error_real_prices": (
        "Error against the version before on real prices that came back",
        "Error frente a la versión anterior en precios reales que se conocieron",
    ),
    "new_batches": ("New batches that came", "Lotes nuevos que llegaron"),
}
"""Signals, gates and triggers of a rollback, and the counts of skips that rest on none."""

METRICS: Mapping[str, tuple[str, str]] = {
    "mae": ("Mean absolute error (MAE)", "Error absoluto medio (MAE)"),
    "mdae": ("Median absolute error", "Error absoluto mediano"),
    "rmse": ("Root mean square error (RMSE)", "Raíz del error cuadrático medio (RMSE)"),
    "mdape": ("Median percentage error", "Error porcentual mediano"),
    "within_10_percent": ("Within 10 % of the price", "A menos del 10 % del precio"),
    "within_20_percent": ("Within 20 % of the price", "A menos del 20 % del precio"),
    "mean_abs_log_error": ("Mean absolute log error", "Error logarítmico absoluto medio"),
    "log_bias": ("Bias (log price)", "Sesgo (log del precio)"),
    "r2": ("R² of the price", "R² del precio"),
    "r2_log": ("R² of the log price", "R² del log del precio"),
    "coverage": ("Coverage of the 90 % interval", "Cobertura del intervalo del 90 %"),
    "median_ratio": ("Median ratio of answer to price", "Mediana de respuesta entre precio"),
    "cod": ("Coefficient of dispersion (COD)", "Coeficiente de dispersión (COD)"),
    "prd": ("Price-related differential (PRD)", "Diferencial relacionado con el precio (PRD)"),
    "prb": ("Price-related bias (PRB)", "Sesgo relacionado con el precio (PRB)"),
    "unsound_answers": ("Rows without a sound price", "Filas sin un precio válido"),
}
"""Metrics of an evaluation, in the order in which they are shown."""

DOLLARS = ("mae", "mdae", "rmse")

SHARES = ("mdape", "within_10_percent", "within_20_percent", "coverage", "cod")


def evidence_name(code: str, language: str) -> str:
    """The name of a signal or gate; the code itself where a newer pipeline has one that is not known here."""
    return EVIDENCE[code][LANGUAGES.index(language)] if code in EVIDENCE else code


def metric_name(code: str, language: str) -> str:
    """The name of a metric, or its code."""
    return METRICS[code][LANGUAGES.index(language)] if code in METRICS else code
