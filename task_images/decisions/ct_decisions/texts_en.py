"""English words of the reasons."""

from __future__ import annotations

from typing import Any

WORDS: dict[str, Any] = {
    "batch": "Batch {}",
    "this_batch": "This batch",
    "version": "version {}",
    "no_version": "no version",
    "somebody": "somebody",
    "no_reason": "no reason given",
    "and": "and",
    "also": "Also: {}.",
    "interval": "95% CI {} to {}",
    "closest": "Closest to a training: {}, {} of the way to its limit.",
    "watching": "Closest to a training: {}, watched in {} of the {} batches in a row that train.",
    "watch_limit": "watched from {}",
    "would_not": "No new model would have been trained with {}.",
    "would_have": "With enough rows it would have been trained, because {}.",
    "area_failed": "A gain on the new batch alone was not enough either: {}.",
    "too_few_rows": "the new batch has only {} hold-out rows, {} are needed",
    "it": "it {}",
    "the_champion": "the model in production {}",
    "between": "{} to {} is required",
    "unjudged": "Not judged: {}.",
    "few_areas": "homes in {} of the {} zip codes that it takes",
    "nothing_asked": "no trigger of the policy is switched on",
    "lower_bound": "provably at least {}",
    "failed_limit": "limit {}",
    "failed_least": "at least {} needed",
    "any_time": "the time that was given",
    "failures": {
        "repetition": "too many listings are repeated",
        "expect_table_row_count_to_be_between": "the batch has too few rows",
        "expect_column_values_to_not_be_null": "{} is missing in too many rows",
        "expect_column_values_to_be_between": "{} is outside its range in too many rows",
        "expect_column_unique_value_count_to_be_between": "{} has too few different values",
    },
    "codes": {
        "SKIP_END_OF_DATA": (
            "No batch: the source of {stream} sent {sent} new batches (at least {needed} is needed) and says that all "
            "data were collected; {stored} are stored."
        ),
        "SKIP_NO_NEW_DATA": (
            "{batch}: not trained, because it brought {sent} homes that were not known before (at least {needed} is needed)."
        ),
        "SKIP_NO_NEW_DATA:intake": (
            "No new batch: the source of {stream} sent batch {number} again, with the bytes that are stored already, and "
            "{sent} new batches (at least {needed} is needed)."
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
        "TRAIN_COVARIATE_DRIFT": "{batch}: trained, because the homes have changed: {evidence}.",
        "TRAIN_SCHEMA_CHANGED": "{batch}: trained, because the columns have changed: {evidence}.",
        "TRAIN_PERSISTENT_WATCH": "{batch}: trained, because it was so in {watches} batches in a row: {evidence}.",
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
        "REJECT_LINEAGE_INCOMPLETE": "{challenger} was not promoted, because {evidence}.",
        "REJECT_SIGNATURE": "{challenger} was not promoted, because {evidence}.",
        "REJECT_INFRA_LOAD": "{challenger} was not promoted, because {evidence}.",
        "REJECT_INFRA_ERROR": "{challenger} was not promoted, because {evidence}.",
        "REJECT_INFRA_LATENCY": "{challenger} was not promoted, because {evidence}.",
        "REJECT_INFRA_MEMORY": "{challenger} was not promoted, because {evidence}.",
        "REJECT_INFRA_PARITY": "{challenger} was not promoted, because {evidence}.",
        "REJECT_EQUITY": "{challenger} was not promoted, because against {champion} it {evidence}.",
        "REJECT_SLICE": "{challenger} was not promoted, because against {champion} it {evidence}.",
        "HOLD_TOO_GOOD": (
            "{challenger} waits for a person's approval, because it looks too good to be true: {evidence}. "
            "Without the approval production stays as it is."
        ),
        "HOLD_APPROVAL_BLAST": (
            "{challenger} waits for a person's approval, because {evidence}. Without the approval production stays as it is."
        ),
        "HOLD_APPROVAL": (
            "{challenger} waits for a person's approval, because {evidence}. Without the approval production stays as it is."
        ),
        "PROMOTE_BY_HUMAN": (
            "{challenger} was promoted, because {author} approved it: {reason}. It had waited for a person's approval, because "
            "{evidence}."
        ),
        "REJECT_BY_HUMAN": (
            "{challenger} was not promoted, because {author} refused it: {reason}. It had waited for a person's approval, "
            "because {evidence}."
        ),
        "EXPIRED_APPROVAL": (
            "{challenger} was not promoted, because nobody answered within {waited}. It had waited for a person's approval, "
            "because {evidence}."
        ),
        "ROLLBACK_MANUAL": (
            "{champion} was taken out of production and {challenger} was restored at the request of {author}: {reason}."
        ),
        "ROLLBACK_ERRORS": "{champion} was taken out of production and {challenger} was restored, because {evidence}.",
        "ROLLBACK_LATENCY": "{champion} was taken out of production and {challenger} was restored, because {evidence}.",
        "ROLLBACK_QUALITY": (
            "{champion} was taken out of production and {challenger} was restored, because {champion} {evidence}."
        ),
        "WATCH_SOUND": "{champion} stays in production: {evidence}.",
        "WATCH_NO_EVIDENCE": "{champion} stays in production without a judgement.",
        "WATCH_NO_TARGET": (
            "{champion} stays in production although {evidence}: there is no version to go back to. A person has to look."
        ),
        "WATCH_NO_TARGET:withdrawn": (
            "{champion} stays in production although {evidence}: {challenger}, the version before, was taken out of production "
            "itself. A person has to look; a rollback by hand can name any version."
        ),
        "WATCH_NO_TARGET:broken": (
            "{champion} stays in production although {evidence}: {challenger}, the version before, does not load. "
            "A person has to look; a rollback by hand can name any version."
        ),
        "ALIAS_MOVED_BY_HAND": (
            "The alias {alias} was moved by hand from {old} to {new}. Nothing was moved back: from now on challengers are "
            "compared with {new}."
        ),
        "ALIAS_MOVED_BY_HAND:other": "The alias {alias} was moved by hand from {old} to {new}. Nothing was moved back.",
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
        "domain_auc": "the new homes can be told from the known ones with an AUC of {}",
        "domain_auc:by": "the new homes can be told from the known ones, mostly by {columns}, with an AUC of {}",
        "psi": "{feature} is distributed differently, with a PSI of {}",
        "wasserstein": "{feature} has moved by {} standard deviations",
        "schema_changed": "a column has changed in {} of the rows",
        "schema_changed:missing": "{feature} is missing in {} of the rows",
        "schema_changed:returned": "{feature}, which the model in production did not have, is there in {} of the rows",
        "schema_changed:retyped": "{feature} came with another type in {} of the rows",
        "schema_changed:new": "{feature}, a column that the model has no use for, came in {} of the rows",
        "volume": "the homes added since the model in production are {} of those it was trained on",
        "new_rows": "{} homes are new",
        "leakage": "{} homes stand both in training and in the hold-out",
        "leakage:one": "{} home stands both in training and in the hold-out",
        "sound_answers": "{} of its answers are no sound price",
        "sound_answers:one": "{} of its answers is no sound price",
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
        "lineage": "its lineage is incomplete, {} facts are missing",
        "lineage:one": "its lineage is incomplete, {} fact is missing",
        "identifiers": "{} of its inputs identify a home or hold its price",
        "identifiers:one": "{} of its inputs identifies a home or holds its price",
        "signature": "its inputs and outputs differ from the API's in {} places",
        "signature:one": "its inputs and outputs differ from the API's in {} place",
        "signature:absent": "it has no signature",
        "libraries": "the serving environment has other versions of {} of its libraries",
        "libraries:one": "the serving environment has another version of {} of its libraries",
        "loading": "it does not load in the serving environment",
        "load_seconds": "loading it takes {}",
        "artifact_size": "its files take {}",
        "requests": "{} of {requests} requests got no sound price from it",
        "latency": "it takes {} for one row",
        "memory": "it takes {} of memory",
        "parity": "its answers differ from those in training by a factor of up to 1 + {}",
        "repeatability": "its answers to the same request differ by a factor of up to 1 + {}",
        "prd": "prices cheap and dear homes less evenly: PRD {challenger} instead of {champion}, {} further from 1",
        "prb": "prices cheap and dear homes less evenly: PRB {challenger} instead of {champion}, {} further from 0",
        "slices": "lowers the MAE by {} {slice}",
        "slices+": "raises the MAE by {} {slice}",
        "interval_fifths": "its 90% interval covers {} in fifth {fifth} of the predicted price",
        "too_good": "its R² of log price is {} above that of the model in production on batches that both know",
        "single_column": "one input alone explains {} of the log price",
        "blast_radius": "{} of the last {requests} answers would change by more than {move}",
        "approval": "the policy asks for it at every promotion",
        "serving_errors": "{} of its last {requests} requests got no answer",
        "serving_errors:before": "{} of its last {requests} requests got no answer, {before} of those of the version before",
        "serving_latency": "95% of its last {requests} requests for one home took up to {}",
        "serving_latency:before": (
            "95% of its last {requests} requests for one home took up to {}, those of the version before up to {before}"
        ),
        "error_new_homes": "errs {} less than the version before on {rows} homes that are new to both",
        "error_new_homes+": "errs {} more than the version before on {rows} homes that are new to both",
        "error_real_prices": "errs {} less than the version before on {rows} answers whose real price came back",
        "error_real_prices+": "errs {} more than the version before on {rows} answers whose real price came back",
    },
    "too_little": {
        "serving_errors": "errors, with {requests} of the {required} requests that it takes",
        "serving_latency": "latency, with {requests} of the {required} requests for one home that it takes",
        "error_new_homes": (
            "the error on new homes, with {rows} homes in {areas} zip codes where it takes {required} in {required_areas}"
        ),
        "error_real_prices": (
            "the error on real prices, with {rows} prices in {areas} zip codes where it takes {required} in {required_areas}"
        ),
    },
    "unjudged_signals": {
        "error_ratio": "the error",
        "log_bias": "the bias",
        "interval_coverage": "the coverage of the intervals",
        "domain_auc": "whether the homes are of another kind",
    },
    "lineage": {
        "code": "the version of the code",
        "image_digest": "the digest of the image",
        "data": "the digests of the data",
        "seed": "the seed",
        "policy": "the policy",
        "retrain_decision": "the retrain decision",
        "golden_answers": "its answers in training",
    },
    "slices": {
        "state": "in the state {}",
        "status": "among homes with the status {}",
        "size": "in third {} of the house size",
        "prediction": "in fifth {} of the predicted price",
        "area:known": "in postal areas that the model in production knows",
        "area:new": "in postal areas that are new to the model in production",
    },
    "limits": {
        "domain_auc": "limit {}",
        "psi": "limit {}",
        "wasserstein": "limit {}",
        "schema_changed": "limit {}",
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
        "lineage": "limit {}",
        "identifiers": "limit {}",
        "signature": "limit {}",
        "libraries": "limit {}",
        "loading": "limit {}",
        "load_seconds": "limit {}",
        "artifact_size": "limit {}",
        "requests": "limit {}",
        "latency": "limit {}",
        "memory": "limit {}",
        "parity": "limit {}",
        "repeatability": "limit {}",
        "prd": "limit {}",
        "prb": "limit {}",
        "slices": "at most {} higher is allowed",
        "interval_fifths": "at least {}",
        "too_good": "limit {}",
        "single_column": "limit {}",
        "blast_radius": "limit {}",
        "approval": "limit {}",
        "serving_errors": "limit {}",
        "serving_latency": "limit {}",
        "error_new_homes": "at most {} more is allowed",
        "error_real_prices": "at most {} more is allowed",
    },
    "counterfactuals": {
        "domain_auc": "an AUC of at most {}",
        "psi": "a PSI of {feature} below {}",
        "wasserstein": "a shift of {feature} below {} standard deviations",
        "schema_changed": "less than {} of the rows with a change of {feature}",
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
