"""Spanish words of the reasons."""

from __future__ import annotations

from typing import Any

WORDS: dict[str, Any] = {
    "batch": "Lote {}",
    "this_batch": "Este lote",
    "version": "la versión {}",
    "no_version": "ninguna versión",
    "somebody": "alguien",
    "no_reason": "sin motivo indicado",
    "and": "y",
    "also": "Además: {}.",
    "interval": "IC95 {} a {}",
    "closest": "Lo más cercano a un entrenamiento: {}, el {} del camino hasta su límite.",
    "watching": "Lo más cercano a un entrenamiento: {}, en observación en {} de los {} lotes seguidos que entrenan.",
    "watch_limit": "en observación desde {}",
    "would_not": "No se habría entrenado un modelo nuevo con {}.",
    "would_have": "Con filas suficientes se habría entrenado porque {}.",
    "area_failed": "Tampoco bastó una mejora solo en el lote nuevo: {}.",
    "too_few_rows": "el lote nuevo tiene solo {} filas de prueba y hacen falta {}",
    "it": "{}",
    "the_champion": "el modelo en producción {}",
    "between": "se exige entre el {} y el {}",
    "unjudged": "No se juzgó: {}.",
    "few_areas": "viviendas en {} de las {} zonas postales que hacen falta",
    "nothing_asked": "la política no tiene activado ningún criterio",
    "lower_bound": "cota inferior {}",
    "failed_limit": "límite {}",
    "failed_least": "hacen falta al menos {}",
    "any_time": "el plazo dado",
    "failures": {
        "repetition": "demasiados anuncios están repetidos",
        "expect_table_row_count_to_be_between": "el lote tiene muy pocas filas",
        "expect_column_values_to_not_be_null": "falta {} en demasiadas filas",
        "expect_column_values_to_be_between": "{} está fuera de su rango en demasiadas filas",
        "expect_column_unique_value_count_to_be_between": "{} tiene muy pocos valores distintos",
    },
    "codes": {
        "SKIP_END_OF_DATA": (
            "Sin lote: la fuente de {stream} envió {sent} lotes nuevos (hace falta al menos {needed}) e informa que ya se "
            "recolectaron todos los datos; hay {stored} guardados."
        ),
        "SKIP_NO_NEW_DATA": (
            "{batch}: no se entrenó porque trajo {sent} viviendas que no se conocían (hace falta al menos {needed})."
        ),
        "SKIP_NO_NEW_DATA:intake": (
            "Sin lote nuevo: la fuente de {stream} volvió a enviar el lote {number}, con los bytes que ya están guardados, y "
            "{sent} lotes nuevos (hace falta al menos {needed})."
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
        "TRAIN_COVARIATE_DRIFT": "{batch}: se entrenó porque las viviendas cambiaron: {evidence}.",
        "TRAIN_SCHEMA_CHANGED": "{batch}: se entrenó porque cambiaron las columnas: {evidence}.",
        "TRAIN_PERSISTENT_WATCH": "{batch}: se entrenó porque en {watches} lotes seguidos se observó lo mismo: {evidence}.",
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
        "REJECT_LINEAGE_INCOMPLETE": "No se promovió {challenger} porque {evidence}.",
        "REJECT_SIGNATURE": "No se promovió {challenger} porque {evidence}.",
        "REJECT_INFRA_LOAD": "No se promovió {challenger} porque {evidence}.",
        "REJECT_INFRA_ERROR": "No se promovió {challenger} porque {evidence}.",
        "REJECT_INFRA_LATENCY": "No se promovió {challenger} porque {evidence}.",
        "REJECT_INFRA_MEMORY": "No se promovió {challenger} porque {evidence}.",
        "REJECT_INFRA_PARITY": "No se promovió {challenger} porque {evidence}.",
        "REJECT_EQUITY": "No se promovió {challenger} porque, frente a {champion}, {evidence}.",
        "REJECT_SLICE": "No se promovió {challenger} porque, frente a {champion}, {evidence}.",
        "HOLD_TOO_GOOD": (
            "{challenger} espera la aprobación de una persona porque parece demasiado buena para ser cierta: {evidence}. "
            "Sin la aprobación, producción queda como está."
        ),
        "HOLD_APPROVAL_BLAST": (
            "{challenger} espera la aprobación de una persona porque {evidence}. Sin la aprobación, producción queda como está."
        ),
        "HOLD_APPROVAL": (
            "{challenger} espera la aprobación de una persona porque {evidence}. Sin la aprobación, producción queda como está."
        ),
        "PROMOTE_BY_HUMAN": (
            "Se promovió {challenger} porque {author} la aprobó: {reason}. Había esperado la aprobación de una persona porque "
            "{evidence}."
        ),
        "REJECT_BY_HUMAN": (
            "No se promovió {challenger} porque {author} la rechazó: {reason}. Había esperado la aprobación de una persona "
            "porque {evidence}."
        ),
        "EXPIRED_APPROVAL": (
            "No se promovió {challenger} porque nadie respondió en {waited}. Había esperado la aprobación de una persona "
            "porque {evidence}."
        ),
        "ROLLBACK_MANUAL": "Se retiró {champion} de producción y se restauró {challenger} a petición de {author}: {reason}.",
        "ROLLBACK_ERRORS": "Se retiró {champion} de producción y se restauró {challenger} porque {evidence}.",
        "ROLLBACK_LATENCY": "Se retiró {champion} de producción y se restauró {challenger} porque {evidence}.",
        "ROLLBACK_QUALITY": "Se retiró {champion} de producción y se restauró {challenger} porque {champion} {evidence}.",
        "WATCH_SOUND": "{champion} sigue en producción: {evidence}.",
        "WATCH_NO_EVIDENCE": "{champion} sigue en producción sin que se haya podido juzgar.",
        "WATCH_NO_TARGET": (
            "{champion} sigue en producción aunque {evidence}: no hay versión a la que volver. Tiene que mirarlo una persona."
        ),
        "WATCH_NO_TARGET:withdrawn": (
            "{champion} sigue en producción aunque {evidence}: {challenger}, la anterior, ya había sido retirada de "
            "producción. Tiene que mirarlo una persona; a mano se puede volver a cualquier versión."
        ),
        "WATCH_NO_TARGET:broken": (
            "{champion} sigue en producción aunque {evidence}: {challenger}, la anterior, no se carga. "
            "Tiene que mirarlo una persona; a mano se puede volver a cualquier versión."
        ),
        "ALIAS_MOVED_BY_HAND": (
            "El alias {alias} se movió a mano de {old} a {new}. No se devolvió a su sitio: desde ahora los modelos nuevos se "
            "comparan con {new}."
        ),
        "ALIAS_MOVED_BY_HAND:other": "El alias {alias} se movió a mano de {old} a {new}. No se devolvió a su sitio.",
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
        "domain_auc": "las viviendas nuevas se distinguen de las conocidas con un AUC de {}",
        "domain_auc:by": "las viviendas nuevas se distinguen de las conocidas, sobre todo por {columns}, con un AUC de {}",
        "psi": "cambió la distribución de {feature}, con un PSI de {}",
        "wasserstein": "{feature} se desplazó {} desviaciones estándar",
        "schema_changed": "una columna cambió en el {} de las filas",
        "schema_changed:missing": "falta {feature} en el {} de las filas",
        "schema_changed:returned": "{feature}, que el modelo en producción no tenía, está en el {} de las filas",
        "schema_changed:retyped": "{feature} llegó con otro tipo en el {} de las filas",
        "schema_changed:new": "{feature}, una columna que el modelo no usa, llegó en el {} de las filas",
        "volume": "las viviendas añadidas desde el modelo en producción son el {} de aquellas con las que se entrenó",
        "new_rows": "{} viviendas son nuevas",
        "leakage": "{} viviendas están a la vez en entrenamiento y en prueba",
        "leakage:one": "{} vivienda está a la vez en entrenamiento y en prueba",
        "sound_answers": "{} de sus respuestas no son un precio válido",
        "sound_answers:one": "{} de sus respuestas no es un precio válido",
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
        "lineage": "su linaje está incompleto, faltan {} datos",
        "lineage:one": "su linaje está incompleto, falta {} dato",
        "identifiers": "{} de sus entradas identifican una vivienda o contienen su precio",
        "identifiers:one": "{} de sus entradas identifica una vivienda o contiene su precio",
        "signature": "sus entradas y salidas difieren de las de la API en {} puntos",
        "signature:one": "sus entradas y salidas difieren de las de la API en {} punto",
        "signature:absent": "no tiene firma",
        "libraries": "el entorno de servicio tiene otras versiones de {} de sus bibliotecas",
        "libraries:one": "el entorno de servicio tiene otra versión de {} de sus bibliotecas",
        "loading": "no se carga en el entorno de servicio",
        "load_seconds": "cargarla tarda {}",
        "artifact_size": "sus archivos ocupan {}",
        "requests": "no dio un precio válido a {} de {requests} peticiones",
        "latency": "tarda {} en una fila",
        "memory": "ocupa {} de memoria",
        "parity": "sus respuestas difieren de las del entrenamiento en un factor de hasta 1 + {}",
        "repeatability": "sus respuestas a la misma petición difieren en un factor de hasta 1 + {}",
        "prd": (
            "valora de forma menos pareja las viviendas baratas y las caras: PRD {challenger} en vez de {champion}, {} más "
            "lejos de 1"
        ),
        "prb": (
            "valora de forma menos pareja las viviendas baratas y las caras: PRB {challenger} en vez de {champion}, {} más "
            "lejos de 0"
        ),
        "slices": "reduce el MAE un {} {slice}",
        "slices+": "aumenta el MAE un {} {slice}",
        "interval_fifths": "su intervalo del 90 % cubre el {} en el quinto {fifth} del precio estimado",
        "too_good": "su R² del logaritmo del precio supera en {} al del modelo en producción en lotes que ambos conocen",
        "single_column": "una sola entrada explica el {} del logaritmo del precio",
        "blast_radius": "el {} de las últimas {requests} respuestas cambiaría más de un {move}",
        "approval": "la política la exige en cada promoción",
        "serving_errors": "el {} de sus últimas {requests} peticiones quedó sin respuesta",
        "serving_errors:before": (
            "el {} de sus últimas {requests} peticiones quedó sin respuesta, frente al {before} con la versión anterior"
        ),
        "serving_latency": "el 95 % de sus últimas {requests} peticiones de una vivienda tardó hasta {}",
        "serving_latency:before": (
            "el 95 % de sus últimas {requests} peticiones de una vivienda tardó hasta {}, frente a {before} con la versión "
            "anterior"
        ),
        "error_new_homes": "se equivoca un {} menos que la versión anterior en {rows} viviendas nuevas para ambas",
        "error_new_homes+": "se equivoca un {} más que la versión anterior en {rows} viviendas nuevas para ambas",
        "error_real_prices": "se equivoca un {} menos que la versión anterior en {rows} respuestas cuyo precio real se conoció",
        "error_real_prices+": "se equivoca un {} más que la versión anterior en {rows} respuestas cuyo precio real se conoció",
    },
    "too_little": {
        "serving_errors": "los errores, con {requests} de las {required} peticiones que hacen falta",
        "serving_latency": "la latencia, con {requests} de las {required} peticiones de una vivienda que hacen falta",
        "error_new_homes": (
            "el error en viviendas nuevas, con {rows} viviendas en {areas} zonas postales y hacen falta {required} en "
            "{required_areas}"
        ),
        "error_real_prices": (
            "el error en precios reales, con {rows} precios en {areas} zonas postales y hacen falta {required} en "
            "{required_areas}"
        ),
    },
    "unjudged_signals": {
        "error_ratio": "el error",
        "log_bias": "el sesgo",
        "interval_coverage": "la cobertura de los intervalos",
        "domain_auc": "si las viviendas son de otro tipo",
    },
    "lineage": {
        "code": "la versión del código",
        "image_digest": "la huella de la imagen",
        "data": "las huellas de los datos",
        "seed": "la semilla",
        "policy": "la política",
        "retrain_decision": "la decisión de entrenar",
        "golden_answers": "sus respuestas en el entrenamiento",
    },
    "slices": {
        "state": "en el estado {}",
        "status": "entre las viviendas con el estado de venta {}",
        "size": "en el tercio {} del tamaño de la vivienda",
        "prediction": "en el quinto {} del precio estimado",
        "area:known": "en zonas postales que el modelo en producción conoce",
        "area:new": "en zonas postales nuevas para el modelo en producción",
    },
    "limits": {
        "domain_auc": "límite {}",
        "psi": "límite {}",
        "wasserstein": "límite {}",
        "schema_changed": "límite {}",
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
        "lineage": "límite {}",
        "identifiers": "límite {}",
        "signature": "límite {}",
        "libraries": "límite {}",
        "loading": "límite {}",
        "load_seconds": "límite {}",
        "artifact_size": "límite {}",
        "requests": "límite {}",
        "latency": "límite {}",
        "memory": "límite {}",
        "parity": "límite {}",
        "repeatability": "límite {}",
        "prd": "límite {}",
        "prb": "límite {}",
        "slices": "se admite como mucho un {} más",
        "interval_fifths": "al menos el {}",
        "too_good": "límite {}",
        "single_column": "límite {}",
        "blast_radius": "límite {}",
        "approval": "límite {}",
        "serving_errors": "límite {}",
        "serving_latency": "límite {}",
        "error_new_homes": "se admite como mucho un {} más",
        "error_real_prices": "se admite como mucho un {} más",
    },
    "counterfactuals": {
        "domain_auc": "un AUC de {} como mucho",
        "psi": "un PSI de {feature} menor que {}",
        "wasserstein": "un desplazamiento de {feature} de menos de {} desviaciones estándar",
        "schema_changed": "menos del {} de las filas con un cambio de {feature}",
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
