-- How a model errs, in bins: what charts need of the rows that champion and challenger were scored on.
CREATE TABLE audit.diagnostics (
    decision_id   uuid NOT NULL REFERENCES audit.decisions,
    model_version text NOT NULL,
    role          text NOT NULL CHECK (role IN ('champion', 'challenger')),
    kind          text NOT NULL CHECK (kind IN ('errors', 'prices', 'intervals')),
    row_count     integer NOT NULL,             -- hold-out rows that both models price
    content       jsonb NOT NULL,               -- by kind, see ct_evaluate.diagnostics
    PRIMARY KEY (decision_id, role, kind)
);
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.diagnostics
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

GRANT SELECT ON audit.diagnostics TO ct_pipeline, ct_dashboard;
GRANT INSERT ON audit.diagnostics TO ct_pipeline;

-- Comparable listings are those of one zip area, a range of zip codes.
CREATE INDEX listings_by_zip_code ON clean.listings (zip_code);
