-- Which image and which code did each step of a run, written in the step's own transaction.
CREATE TABLE audit.steps (
    dag_id       text NOT NULL,
    run_id       text NOT NULL,
    step         text NOT NULL,
    batch_id     bigint REFERENCES raw.batches,
    image        text,                          -- as the operator named it: with a digest if it is pinned by one
    code_version text,
    done_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dag_id, run_id, step)
);
CREATE INDEX steps_by_batch ON audit.steps (batch_id);

CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.steps
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

-- One line for each model version and each batch that it was trained on, and one for each batch that no version was trained
-- on: "WHERE model_version = '3'" leads from a version to all that it comes from, "WHERE batch_id = 5" from a batch to every
-- version that holds it and what became of them.
CREATE VIEW audit.lineage AS
SELECT version.model_name,
       version.model_version,
       version.dag_id                          AS trained_by_dag,
       version.run_id                          AS trained_by_run,
       version.happened_at                     AS registered_at,
       version.details ->> 'git_sha'           AS code_version,
       version.details ->> 'image'             AS train_image,
       version.details ->> 'seed'              AS seed,
       version.details ->> 'mlflow_run_id'     AS mlflow_run_id,
       version.details -> 'data_digests'       AS data_digests,      -- of the rows of each split
       retrain.decision_id                     AS retrain_decision_id,
       retrain.code                            AS retrain_code,
       retrain.policy_name,
       retrain.policy_version,
       retrain.policy_digest,
       promotion.decision_id                   AS promotion_decision_id,
       promotion.outcome                       AS promotion_outcome,
       promotion.code                          AS promotion_code,
       promotion.champion_version              AS compared_to,
       (SELECT jsonb_agg(jsonb_build_object('gate', name, 'verdict', verdict, 'value', value, 'threshold', threshold, 'code', code)
                         ORDER BY position)
          FROM audit.gates AS gate WHERE gate.decision_id = promotion.decision_id) AS gates,
       (SELECT jsonb_agg(jsonb_build_object('event', event.event, 'run_id', event.run_id, 'at', event.happened_at) ORDER BY event.event_id)
          FROM audit.model_events AS event
         WHERE (event.model_name, event.model_version) = (version.model_name, version.model_version)) AS events,
       batch.batch_id,
       batch.stream,
       batch.batch_number,
       batch.dag_id                            AS batch_dag,
       batch.run_id                            AS batch_run,
       retrain.batch_id = batch.batch_id       AS is_trigger,        -- the batch whose run trained the version
       batch.row_count,
       batch.body_sha256,
       batch.stored_at,
       validation.accepted                     AS validation_accepted,
       validation.suite_name,
       validation.suite_version,
       cleaned.rows_accepted,
       cleaned.rows_new,
       cleaned.rows_quarantined,
       cleaned.rules_version,
       cleaned.digest                          AS clean_digest,
       (SELECT jsonb_agg(jsonb_build_object('kind', kind, 'outcome', outcome, 'code', code, 'decision_id', decision_id)
                         ORDER BY decided_at)
          FROM audit.decisions AS decision WHERE decision.batch_id = batch.batch_id) AS batch_decisions,
       (SELECT jsonb_agg(jsonb_build_object('step', done.step, 'image', done.image, 'code_version', done.code_version,
                                            'run_id', done.run_id, 'at', done.done_at) ORDER BY done.done_at)
          FROM audit.steps AS done WHERE done.batch_id = batch.batch_id) AS batch_steps
  FROM (SELECT event.*, learnt.batch_id
          FROM audit.model_events AS event
          LEFT JOIN LATERAL (SELECT batch_id::bigint
                               FROM jsonb_array_elements_text(event.details -> 'batch_ids') AS listed (batch_id)) AS learnt ON true
         WHERE event.event = 'registered') AS version
  FULL JOIN raw.batches AS batch ON batch.batch_id = version.batch_id
  LEFT JOIN audit.decisions AS retrain ON retrain.decision_id = version.decision_id
  LEFT JOIN audit.decisions AS promotion ON (promotion.dag_id, promotion.run_id, promotion.kind, promotion.challenger_version)
                                          = (version.dag_id, version.run_id, 'promotion', version.model_version)
  LEFT JOIN audit.validations AS validation ON validation.batch_id = batch.batch_id
  LEFT JOIN clean.batches AS cleaned ON cleaned.batch_id = batch.batch_id;

GRANT SELECT ON audit.steps, audit.lineage TO ct_pipeline, ct_dashboard;
GRANT INSERT ON audit.steps TO ct_pipeline;
