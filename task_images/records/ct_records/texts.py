"""The words of the answers, in English and Spanish; the sentences about decisions are `ct_decisions.reasons`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENGLISH: Mapping[str, Any] = {
    "heads": ("run", "batch", "decision"),
    "recorded": "recorded",
    "kinds": {"intake": "intake", "retrain": "retrain", "promotion": "promotion"},
    "outcomes": {"train": "train", "skip": "skip", "promote": "promote", "reject": "reject", "hold": "hold", "none": "none"},
    "unknown": "not known",
    "no_model": "none",
    "version": "version {}",
    "counts": "{all} decisions: {same} the same, {different} different, {unknown} that the evidence cannot tell.",
    "obstacles": {
        "NOT_TRAINED": "No model would have been trained, so there would be none to decide about.",
        "NOT_TRAINED:recorded": "No model was trained, so there was none to decide about.",
        "NO_CHALLENGER": "A model would have been trained that never was: whether it would have been promoted cannot be known.",
        "OTHER_CHAMPION": "The model in production would have been {champion}; the evidence is about {recorded}.",
        "CHAMPION_UNKNOWN": (
            "From batch {since} on it cannot be known which model would have been in production; the evidence is about the one "
            "that was."
        ),
        "TRAINING_UNKNOWN": "Whether a model would have been trained cannot be known.",
        "OTHER_MEASUREMENT": "This policy measures otherwise than it was measured then: {settings}.",
        "MEASUREMENT_UNKNOWN": "How it was measured was not kept, and the policy of then ({policy}) is not known here.",
        "EVIDENCE_NOT_KEPT": "It was not kept with the decision: {missing}.",
    },
    "lineage": {
        "version": "version {} of {}",
        "batch": "batch {} of {}",
        "trigger": "its run trained the version",
        "no_version": "no version was trained on it",
        "retrain": "Why it was trained",
        "promotion": "What became of it",
        "gates": "Gates",
        "events": "Events",
        "accepted": "accepted",
        "refused": "refused",
        "of_rows": "{} delivered, {} accepted, {} of new homes, {} in quarantine",
        "unknown": "not known",
        "digest": "rows of",
        "facts": {
            "registered": "registered", "run": "run", "code": "code", "image": "image", "seed": "seed",
            "mlflow_run": "MLflow run", "policy": "policy", "aliases": "aliases", "rows": "rows", "raw": "sha256 in RAW",
            "clean": "sha256 in CLEAN", "validation": "validation",
        },
    },
}  # fmt: skip

SPANISH: Mapping[str, Any] = {
    "heads": ("ejecución", "lote", "decisión"),
    "recorded": "registrado",
    "kinds": {"intake": "entrada", "retrain": "reentrenamiento", "promotion": "promoción"},
    "outcomes": {
        "train": "entrenar", "skip": "omitir", "promote": "promover", "reject": "rechazar", "hold": "retener",
        "none": "ninguna",
    },
    "unknown": "no se sabe",
    "no_model": "ninguno",
    "version": "la versión {}",
    "counts": "{all} decisiones: {same} iguales, {different} distintas, {unknown} que la evidencia no permite saber.",
    "obstacles": {
        "NOT_TRAINED": "No se habría entrenado ningún modelo, así que no habría nada que decidir.",
        "NOT_TRAINED:recorded": "No se entrenó ningún modelo, así que no hubo nada que decidir.",
        "NO_CHALLENGER": (
            "Se habría entrenado un modelo que nunca existió: no se puede saber si se habría promovido."
        ),
        "OTHER_CHAMPION": "El modelo en producción habría sido {champion}; la evidencia trata de {recorded}.",
        "CHAMPION_UNKNOWN": (
            "Desde el lote {since} no se puede saber qué modelo habría estado en producción; la evidencia trata del que estuvo."
        ),
        "TRAINING_UNKNOWN": "No se puede saber si se habría entrenado un modelo.",
        "OTHER_MEASUREMENT": "Esta política mide de otra forma que la de entonces: {settings}.",
        "MEASUREMENT_UNKNOWN": "No se guardó cómo se midió, y aquí no se conoce la política de entonces ({policy}).",
        "EVIDENCE_NOT_KEPT": "No se guardó con la decisión: {missing}.",
    },
    "lineage": {
        "version": "versión {} de {}",
        "batch": "lote {} de {}",
        "trigger": "su ejecución entrenó la versión",
        "no_version": "ninguna versión se entrenó con él",
        "retrain": "Por qué se entrenó",
        "promotion": "Qué fue de ella",
        "gates": "Puertas",
        "events": "Sucesos",
        "accepted": "aceptado",
        "refused": "rechazado",
        "of_rows": "{} entregadas, {} aceptadas, {} de viviendas nuevas, {} en cuarentena",
        "unknown": "no se sabe",
        "digest": "filas de",
        "facts": {
            "registered": "registrada", "run": "ejecución", "code": "código", "image": "imagen", "seed": "semilla",
            "mlflow_run": "ejecución de MLflow", "policy": "política", "aliases": "alias", "rows": "filas",
            "raw": "sha256 en RAW", "clean": "sha256 en CLEAN", "validation": "validación",
        },
    },
}  # fmt: skip

TEXTS: Mapping[str, Mapping[str, Any]] = {"en": ENGLISH, "es": SPANISH}
