-- Real prices. A later line for the same row and kind replaces an earlier one, which stays on record.

ALTER TABLE raw.feedback
    ADD COLUMN kind text NOT NULL DEFAULT 'sale' CHECK (kind IN ('sale', 'asking', 'appraisal')),
    ADD COLUMN client text,                     -- the name of the API key, or an address
    ADD CONSTRAINT feedback_row_number CHECK (row_number >= 0),
    ADD CONSTRAINT feedback_price_is_finite CHECK (actual_price < 'infinity');
CREATE INDEX feedback_by_row ON raw.feedback (request_id, row_number, kind, feedback_id);

CREATE VIEW raw.current_feedback AS
SELECT DISTINCT ON (request_id, row_number, kind) *
FROM raw.feedback
ORDER BY request_id, row_number, kind, feedback_id DESC;

-- The only way in for serving, which reads nothing of RAW: it learns of a row whose request id it was told, and no other.
-- The same price again adds no line, so that a client may send again what it has no answer to.
-- accept_unknown: the row is known to wait in a spool.
CREATE FUNCTION raw.give_feedback(
    given_request uuid, given_row integer, given_price double precision, given_kind text, given_client text,
    accept_unknown boolean,
    OUT outcome text,                           -- stored, unchanged, unknown_request, unknown_row
    OUT replaced double precision,              -- the price that counted until now
    OUT predicted double precision, OUT model_version text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(given_request::text, 0));
    SELECT inference.price, inference.model_version INTO predicted, model_version
      FROM raw.inferences AS inference
     WHERE inference.request_id = given_request AND inference.row_number = given_row AND inference.role = 'primary';
    IF NOT FOUND AND NOT accept_unknown THEN
        outcome := CASE WHEN EXISTS (SELECT FROM raw.inferences AS inference WHERE inference.request_id = given_request)
                        THEN 'unknown_row' ELSE 'unknown_request' END;
        RETURN;
    END IF;
    SELECT feedback.actual_price INTO replaced
      FROM raw.feedback AS feedback
     WHERE feedback.request_id = given_request AND feedback.row_number = given_row AND feedback.kind = given_kind
     ORDER BY feedback.feedback_id DESC LIMIT 1;
    IF replaced = given_price THEN
        outcome := 'unchanged';
        RETURN;
    END IF;
    INSERT INTO raw.feedback (request_id, row_number, actual_price, kind, client)
    VALUES (given_request, given_row, given_price, given_kind, given_client);
    outcome := 'stored';
END $$;

REVOKE EXECUTE ON FUNCTION raw.give_feedback FROM PUBLIC;
GRANT EXECUTE ON FUNCTION raw.give_feedback TO ct_serving;
REVOKE INSERT ON raw.feedback FROM ct_serving;
GRANT SELECT ON raw.current_feedback TO ct_pipeline, ct_dashboard;

-- Who was in production when, and why: what /model/history says.
GRANT USAGE ON SCHEMA audit TO ct_serving;
GRANT SELECT ON audit.model_events, audit.decisions, audit.signals, audit.gates TO ct_serving;
