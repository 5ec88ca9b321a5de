"""Spanish words of the reasons."""

from __future__ import annotations

from typing import Any

WORDS: dict[str, Any] = {
    "batch": "Lote {}",
    "this_batch": "Este lote",
    "version": "la versión {}",
    "somebody": "alguien",
    "no_reason": "sin motivo indicado",
    "and": "y",
    "also": "Además: {}.",
    "interval": "IC95 {} a {}",
    "closest": "Lo más cercano a un entrenamiento: {}, el {} del camino hasta su límite.",
    "would_not": "No se habría entrenado un modelo nuevo con {}.",
    "would_have": "Con filas suficientes se habría entrenado porque {}.",
    "area_failed": "Tampoco bastó una mejora solo en el lote nuevo: {}.",
    "too_few_rows": "el lote nuevo tiene solo {} filas de prueba y hacen falta {}",
    "it": "{}",
    "the_champion": "el modelo en producción {}",
    "between": "se exige entre el {} y el {}",
    "failures": {
        "repetition": "demasiados anuncios están repetidos",
        "expect_table_row_count_to_be_between": "el lote tiene muy pocas filas",
        "expect_column_values_to_not_be_null": "falta {} en demasiadas filas",
        "expect_column_values_to_be_between": "{} está fuera de su rango en demasiadas filas",
        "expect_column_unique_value_count_to_be_between": "{} tiene muy pocos valores distintos",
    },
    "codes": {
        "SKIP_END_OF_DATA": "Sin lote: la fuente de {stream} informa que ya se recolectaron todos los datos.",
        "SKIP_NO_NEW_DATA": "{batch}: no se entrenó porque no trajo ninguna vivienda que no se conociera ya.",
        "SKIP_NO_NEW_DATA:intake": (
            "Sin lote nuevo: la fuente de {stream} volvió a enviar el lote {number}, con los bytes que ya están guardados."
        ),
        "SKIP_INVALID_BATCH": "{batch}: no se entrenó porque el lote es inválido: {failures}. Sus filas quedan solo en RAW.",
        "SKIP_INSUFFICIENT_EVIDENCE": (
            "{batch}: no se entrenó porque el lote es pequeño: {new_rows} viviendas nuevas y hacen falta {required_rows} "
            "frente a las {champion_rows} filas del modelo en producción. Sus filas se conservan y cuentan con el próximo lote."
        ),
        "SKIP_NO_MATERIAL_CHANGE": "{batch}: no se entrenó porque ninguna señal superó su límite.",
        "TRAIN_BOOTSTRAP": "{batch}: se entrenó porque no había modelo en producción: es la línea base.",
        "TRAIN_MANUAL": "{batch}: se entrenó a petición de {author}: {reason}.",
        "TRAIN_PERFORMANCE_DEGRADED": "{batch}: se entrenó porque el modelo en producción ({champion}) {evidence}.",
        "TRAIN_BIASED": "{batch}: se entrenó porque el modelo en producción ({champion}) {evidence}.",
        "TRAIN_INTERVALS_INVALID": "{batch}: se entrenó porque {evidence}.",
        "TRAIN_TARGET_OUT_OF_SUPPORT": "{batch}: se entrenó porque {evidence}.",
        "TRAIN_NEW_CATEGORIES": "{batch}: se entrenó porque {evidence}.",
        "TRAIN_VOLUME": "{batch}: se entrenó porque {evidence}.",
        "PROMOTE_FIRST_MODEL": "Se promovió {challenger} porque no existía modelo en producción; {evidence}.",
        "PROMOTE_BETTER": "Se promovió {challenger} porque, sobre las mismas filas de prueba que {champion}, {evidence}.",
        "PROMOTE_COVERAGE": (
            "Se promovió {challenger} en lugar de {champion} porque cubre lo que trajo el lote nuevo: {evidence}."
        ),
        "REJECT_LEAKAGE": "No se promovió {challenger} porque {evidence}.",
        "REJECT_UNSOUND_ANSWERS": "No se promovió {challenger} porque {evidence}.",
        "REJECT_BELOW_BASELINE": "No se promovió {challenger} porque {evidence}.",
        "REJECT_NOT_BETTER": (
            "No se promovió {challenger} porque su mejora sobre {champion} en las mismas filas de prueba es demasiado pequeña: "
            "{evidence}."
        ),
        "REJECT_NOT_BETTER:unproven": (
            "No se promovió {challenger} porque su mejora sobre {champion} en las mismas filas de prueba puede ser azar: "
            "{evidence}."
        ),
        "REJECT_NOT_BETTER:none": (
            "No se promovió {challenger} porque no es mejor que {champion} en las mismas filas de prueba: {evidence}."
        ),
        "REJECT_WORSE": "No se promovió {challenger} porque, sobre las mismas filas de prueba que {champion}, {evidence}.",
        "REJECT_RMSE": "No se promovió {challenger} porque, frente a {champion}, {evidence}.",
        "REJECT_RELATIVE_ERROR": "No se promovió {challenger} porque, frente a {champion}, {evidence}.",
        "REJECT_BIAS": "No se promovió {challenger} porque {evidence}.",
        "REJECT_INTERVALS": "No se promovió {challenger} porque {evidence}.",
    },
    "evidence": {
        "error_ratio": "se equivoca {} veces lo que en su evaluación",
        "log_bias": "estima los precios un {} por debajo",
        "log_bias+": "estima los precios un {} por encima",
        "interval_coverage": "solo el {} de los precios cae dentro del intervalo del 90 % del modelo en producción",
        "outside_support": "el {} de los precios está fuera de lo que el modelo en producción vio al entrenar",
        "unsound_answers": "no da un precio válido para el {} de las viviendas nuevas",
        "unseen_status": "el {} de las filas tiene un estado de venta que el modelo en producción nunca vio",
        "unseen_state": "el {} de las filas está en un estado que el modelo en producción nunca vio",
        "unseen_zip3": "el {} de las filas está en una zona postal (zip3) que el modelo en producción nunca vio",
        "volume": "las viviendas añadidas desde el modelo en producción son el {} de aquellas con las que se entrenó",
        "new_rows": "{} viviendas son nuevas",
        "leakage": "{} viviendas están a la vez en entrenamiento y en prueba",
        "sound_answers": "{} de sus respuestas no son un precio válido",
        "baseline": "su MAE es un {} menor que el de la mediana del precio por pie cuadrado de la zona postal",
        "baseline+": "su MAE es un {} mayor que el de la mediana del precio por pie cuadrado de la zona postal",
        "superiority": "reduce el MAE un {}",
        "superiority+": "aumenta el MAE un {}",
        "rmse": "reduce el RMSE un {}",
        "rmse+": "aumenta el RMSE un {}",
        "relative_error": "reduce el error relativo un {}",
        "relative_error+": "aumenta el error relativo un {}",
        "bias": "estima los precios un {} por debajo",
        "bias+": "estima los precios un {} por encima",
        "intervals": "su intervalo del 90 % cubre el {} de las filas de prueba",
        "new_batch": "reduce el MAE en el lote nuevo un {}",
        "new_batch+": "aumenta el MAE en el lote nuevo un {}",
        "rest": "lo reduce en las demás filas un {}",
        "rest+": "lo aumenta en las demás filas un {}",
    },
    "limits": {
        "error_ratio": "límite {}",
        "log_bias": "límite {}",
        "interval_coverage": "al menos el {}",
        "outside_support": "límite {}",
        "unsound_answers": "límite {}",
        "unseen_status": "límite {}",
        "unseen_state": "límite {}",
        "unseen_zip3": "límite {}",
        "volume": "límite {}",
        "leakage": "límite {}",
        "sound_answers": "límite {}",
        "baseline": "se exige al menos un {} menos",
        "superiority": "se exige al menos un {} menos",
        "rmse": "se admite como mucho un {} más",
        "relative_error": "se admite como mucho un {} más",
        "bias": "límite {}",
        "rest": "se admite como mucho un {} más",
    },
    "counterfactuals": {
        "error_ratio": "una razón de error de {} como mucho",
        "log_bias": "un sesgo del {} como mucho",
        "interval_coverage": "una cobertura de al menos el {}",
        "outside_support": "menos del {} de los precios fuera",
        "unsound_answers": "como mucho el {} de respuestas no válidas",
        "unseen_status": "menos del {} con estado de venta desconocido",
        "unseen_state": "menos del {} en estados desconocidos",
        "unseen_zip3": "menos del {} en zonas postales desconocidas",
        "volume": "menos del {} de viviendas nuevas",
    },
}
