"""English words of the reasons."""

from __future__ import annotations

from typing import Any

WORDS: dict[str, Any] = {
    "batch": "Batch {}",
    "this_batch": "This batch",
    "version": "version {}",
    "somebody": "somebody",
    "no_reason": "no reason given",
    "and": "and",
    "also": "Also: {}.",
    "interval": "95% CI {} to {}",
    "closest": "Closest to a training: {}, {} of the way to its limit.",
    "would_not": "No new model would have been trained with {}.",
    "would_have": "With enough rows it would have been trained, because {}.",
    "area_failed": "A gain on the new batch alone was not enough either: {}.",
    "too_few_rows": "the new batch has only {} hold-out rows, {} are needed",
    "it": "it {}",
    "the_champion": "the model in production {}",
    "between": "{} to {} is required",
    "failures": {
        "repetition": "too many listings are repeated",
        "expect_table_row_count_to_be_between": "the batch has too few rows",
        "expect_column_values_to_not_be_null": "{} is missing in too many rows",
        "expect_column_values_to_be_between": "{} is outside its range in too many rows",
        "expect_column_unique_value_count_to_be_between": "{} has too few different values",
    },
    "codes": {
        "SKIP_END_OF_DATA": "No batch: the source of {stream} says that all data were collected.",
        "SKIP_NO_NEW_DATA": "{batch}: not trained, because it brought no home that was not known before.",
        "SKIP_NO_NEW_DATA:intake": (
            "No new batch: the source of {stream} sent batch {number} again, with the bytes that are stored already."
        ),
        "SKIP_INVALID_BATCH": (
            "{batch}: not trained, because the batch is invalid: {failures}. Its rows stay in RAW and nowhere else."
        ),
        "SKIP_INSUFFICIENT_EVIDENCE": (
            "{batch}: not trained, because it is small: {new_rows} new homes, {required_rows} are needed against the "
            "{champion_rows} rows of the model in production. Its rows are kept and count with the next batch."
        ),
        "SKIP_NO_MATERIAL_CHANGE": "{batch}: not trained, because no signal passed its limit.",
        "TRAIN_BOOTSTRAP": "{batch}: trained, because there was no model in production: this is the baseline.",
        "TRAIN_MANUAL": "{batch}: trained at the request of {author}: {reason}.",
        "TRAIN_PERFORMANCE_DEGRADED": "{batch}: trained, because the model in production ({champion}) {evidence}.",
        "TRAIN_BIASED": "{batch}: trained, because the model in production ({champion}) {evidence}.",
        "TRAIN_INTERVALS_INVALID": "{batch}: trained, because {evidence}.",
        "TRAIN_TARGET_OUT_OF_SUPPORT": "{batch}: trained, because {evidence}.",
        "TRAIN_NEW_CATEGORIES": "{batch}: trained, because {evidence}.",
        "TRAIN_VOLUME": "{batch}: trained, because {evidence}.",
        "PROMOTE_FIRST_MODEL": "{challenger} was promoted, because there was no model in production before; it {evidence}.",
        "PROMOTE_BETTER": "{challenger} was promoted, because on the same hold-out rows as {champion} it {evidence}.",
        "PROMOTE_COVERAGE": (
            "{challenger} was promoted in place of {champion}, because it covers what the new batch brought: it {evidence}."
        ),
        "REJECT_LEAKAGE": "{challenger} was not promoted, because {evidence}.",
        "REJECT_UNSOUND_ANSWERS": "{challenger} was not promoted, because {evidence}.",
        "REJECT_BELOW_BASELINE": "{challenger} was not promoted, because it {evidence}.",
        "REJECT_NOT_BETTER": (
            "{challenger} was not promoted, because its gain over {champion} on the same hold-out rows is too small: "
            "it {evidence}."
        ),
        "REJECT_NOT_BETTER:unproven": (
            "{challenger} was not promoted, because its gain over {champion} on the same hold-out rows may be chance: "
            "it {evidence}."
        ),
        "REJECT_NOT_BETTER:none": (
            "{challenger} was not promoted, because it is no better than {champion} on the same hold-out rows: it {evidence}."
        ),
        "REJECT_WORSE": "{challenger} was not promoted, because on the same hold-out rows as {champion} it {evidence}.",
        "REJECT_RMSE": "{challenger} was not promoted, because against {champion} it {evidence}.",
        "REJECT_RELATIVE_ERROR": "{challenger} was not promoted, because against {champion} it {evidence}.",
        "REJECT_BIAS": "{challenger} was not promoted, because it {evidence}.",
        "REJECT_INTERVALS": "{challenger} was not promoted, because {evidence}.",
    },
    "evidence": {
        "error_ratio": "errs {} times as much as in its evaluation",
        "log_bias": "prices {} too low",
        "log_bias+": "prices {} too high",
        "interval_coverage": "only {} of the prices lie inside the 90% interval of the model in production",
        "outside_support": "{} of the prices lie outside what the model in production saw in training",
        "unsound_answers": "gives no sound price for {} of the new homes",
        "unseen_status": "{} of the rows have a status that the model in production never saw",
        "unseen_state": "{} of the rows are in a state that the model in production never saw",
        "unseen_zip3": "{} of the rows are in a postal area (zip3) that the model in production never saw",
        "volume": "the homes added since the model in production are {} of those it was trained on",
        "new_rows": "{} homes are new",
        "leakage": "{} homes stand both in training and in the hold-out",
        "sound_answers": "{} of its answers are no sound price",
        "baseline": "has an MAE {} below that of the zip code's median price per square foot",
        "baseline+": "has an MAE {} above that of the zip code's median price per square foot",
        "superiority": "lowers the MAE by {}",
        "superiority+": "raises the MAE by {}",
        "rmse": "lowers the RMSE by {}",
        "rmse+": "raises the RMSE by {}",
        "relative_error": "lowers the relative error by {}",
        "relative_error+": "raises the relative error by {}",
        "bias": "prices {} too low",
        "bias+": "prices {} too high",
        "intervals": "its 90% interval covers {} of the hold-out",
        "new_batch": "lowers the MAE on the new batch by {}",
        "new_batch+": "raises the MAE on the new batch by {}",
        "rest": "lowers it on the other rows by {}",
        "rest+": "raises it on the other rows by {}",
    },
    "limits": {
        "error_ratio": "limit {}",
        "log_bias": "limit {}",
        "interval_coverage": "at least {}",
        "outside_support": "limit {}",
        "unsound_answers": "limit {}",
        "unseen_status": "limit {}",
        "unseen_state": "limit {}",
        "unseen_zip3": "limit {}",
        "volume": "limit {}",
        "leakage": "limit {}",
        "sound_answers": "limit {}",
        "baseline": "at least {} lower is required",
        "superiority": "at least {} lower is required",
        "rmse": "at most {} higher is allowed",
        "relative_error": "at most {} higher is allowed",
        "bias": "limit {}",
        "rest": "at most {} higher is allowed",
    },
    "counterfactuals": {
        "error_ratio": "an error ratio of at most {}",
        "log_bias": "a bias of at most {}",
        "interval_coverage": "a coverage of at least {}",
        "outside_support": "less than {} of the prices outside",
        "unsound_answers": "at most {} of unsound answers",
        "unseen_status": "less than {} of unknown status",
        "unseen_state": "less than {} in unknown states",
        "unseen_zip3": "less than {} in unknown postal areas",
        "volume": "less than {} of new homes",
    },
}
