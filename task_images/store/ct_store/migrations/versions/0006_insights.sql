-- What the dashboard shows of every version: scores and explanations on one set of hold-out homes, computed at the same moment.

-- The first listing of the hold-out homes whose key has the smallest MD5 sums: a random sample of all homes seen so far, in
-- which a home of a later batch replaces the one with the largest sum.
CREATE TABLE audit.fixed_sets (
    set_digest text PRIMARY KEY,                -- of the homes in their order, without ids that a database gives out
    batch_id   bigint NOT NULL REFERENCES raw.batches,  -- the newest batch that it was drawn from
    row_count  integer NOT NULL,
    area_count integer NOT NULL,                -- zip codes
    background jsonb NOT NULL,                  -- its first homes, on which versions are explained: [{property_key, price, ...}]
    drawn_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A version's errors on a fixed set, overall (dimension "all") and by slice.
CREATE TABLE audit.version_scores (
    set_digest    text NOT NULL REFERENCES audit.fixed_sets,
    model_name    text NOT NULL,
    model_version text NOT NULL,
    dimension     text NOT NULL,                -- all, state, status, house_size
    slice         text NOT NULL,                -- "" for all
    row_count     integer NOT NULL,             -- homes with a sound price
    area_count    integer NOT NULL,
    unsound       integer NOT NULL,             -- homes without one
    metrics       jsonb NOT NULL,               -- {"mae": [value, low, high], ...}; low and high are null where not known
    problem       text,                         -- a code where the version could not be scored
    scored_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (set_digest, model_name, model_version, dimension, slice)
);

-- What moves a version's prices of the background homes: SHAP values in log units, home by home, column by column.
CREATE TABLE audit.explanations (
    set_digest    text NOT NULL REFERENCES audit.fixed_sets,
    model_name    text NOT NULL,
    model_version text NOT NULL,
    columns       text[] NOT NULL,
    base          double precision,             -- log price = base + sum of the home's contributions
    contributions double precision[] NOT NULL,  -- background homes x columns
    seed_noise    jsonb,                        -- {column: standard deviation of its share of reliance between seeds}
    problem       text,                         -- a code where the version could not be explained
    explained_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (set_digest, model_name, model_version)
);

GRANT SELECT ON audit.fixed_sets, audit.version_scores, audit.explanations TO ct_pipeline, ct_dashboard;
GRANT INSERT ON audit.fixed_sets, audit.version_scores, audit.explanations TO ct_pipeline;
