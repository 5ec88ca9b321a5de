-- A promotion that waited for a person keeps its decision (hold); what came of the wait is a decision of its own, of the
-- kind approval, with the gates that asked for the person.
ALTER TABLE audit.decisions DROP CONSTRAINT decisions_kind_check;
ALTER TABLE audit.decisions ADD CONSTRAINT decisions_kind_check
    CHECK (kind IN ('intake', 'retrain', 'promotion', 'approval'));
