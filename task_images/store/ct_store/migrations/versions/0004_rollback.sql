-- After promotion: rollbacks are decisions and events, and the watch's runs are no lines of the history.

ALTER TABLE audit.decisions DROP CONSTRAINT decisions_kind_check;
ALTER TABLE audit.decisions ADD CONSTRAINT decisions_kind_check
    CHECK (kind IN ('intake', 'retrain', 'promotion', 'approval', 'rollback'));
COMMENT ON COLUMN audit.decisions.outcome IS
    'intake: skip; retrain: train, skip; promotion: promote, reject, hold; approval: promote, reject; rollback: rollback, keep';
COMMENT ON COLUMN audit.decisions.challenger_version IS
    'the version that was trained; of a rollback the version to go back to, in the place of champion_version';

-- A rollback is two lines: withdrawn of the version that leaves production, rolled_back of the one that comes back. As promoted
-- and alias_moved_by_hand do, rolled_back names the version that came into production.
ALTER TABLE audit.model_events DROP CONSTRAINT model_events_event_check;
ALTER TABLE audit.model_events ADD CONSTRAINT model_events_event_check CHECK (event IN
    ('registered', 'promotion_decided', 'promoted', 'demoted', 'rejected', 'withdrawn', 'rolled_back', 'alias_moved_by_hand',
     'other_alias_moved_by_hand'));
CREATE INDEX model_events_by_decision ON audit.model_events (decision_id);

-- promotion_outcome and promotion_code are what was carried out: a person's answer, once there is one.
CREATE OR REPLACE VIEW audit.history AS
SELECT run.dag_id,
       run.run_id,
       batch.batch_id,
       batch.stream,
       batch.batch_number,
       batch.row_count,
       batch.stored_at,
       validation.accepted       AS validation_accepted,
       cleaned.rows_accepted,
       cleaned.rows_new,
       cleaned.rows_quarantined,
       intake.code               AS intake_code,
       retrain.decision_id       AS retrain_decision_id,
       retrain.outcome           AS retrain_outcome,
       retrain.code              AS retrain_code,
       promotion.decision_id     AS promotion_decision_id,
       COALESCE(approval.outcome, promotion.outcome) AS promotion_outcome,
       COALESCE(approval.code, promotion.code)       AS promotion_code,
       COALESCE(promotion.champion_version, retrain.champion_version) AS champion_version,
       promotion.challenger_version,
       (SELECT max(happened_at) FROM audit.model_events AS event
         WHERE event.dag_id = run.dag_id AND event.run_id = run.run_id AND event.event = 'promoted') AS promoted_at,
       COALESCE(batch.stored_at, intake.decided_at, retrain.decided_at) AS happened_at,
       approval.decision_id      AS approval_decision_id,
       approval.code             AS approval_code,
       (SELECT min(happened_at) FROM audit.model_events AS event
         WHERE event.event = 'withdrawn' AND event.model_version = promotion.challenger_version
           AND event.happened_at > promotion.decided_at) AS withdrawn_at
FROM (SELECT dag_id, run_id FROM raw.batches
      UNION SELECT dag_id, run_id FROM audit.decisions WHERE kind <> 'rollback') AS run
LEFT JOIN raw.batches AS batch USING (dag_id, run_id)
LEFT JOIN audit.validations AS validation ON validation.batch_id = batch.batch_id
LEFT JOIN clean.batches AS cleaned ON cleaned.batch_id = batch.batch_id
LEFT JOIN audit.decisions AS intake ON (intake.dag_id, intake.run_id, intake.kind) = (run.dag_id, run.run_id, 'intake')
LEFT JOIN audit.decisions AS retrain ON (retrain.dag_id, retrain.run_id, retrain.kind) = (run.dag_id, run.run_id, 'retrain')
LEFT JOIN audit.decisions AS promotion ON (promotion.dag_id, promotion.run_id, promotion.kind) = (run.dag_id, run.run_id, 'promotion')
LEFT JOIN audit.decisions AS approval ON (approval.dag_id, approval.run_id, approval.kind) = (run.dag_id, run.run_id, 'approval');
