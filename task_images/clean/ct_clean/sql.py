"""The statements of cleaning, put together from the rules of the data set. All of them run in one transaction."""

from __future__ import annotations

from house_prices import cleaning
from house_prices.cleaning import number_as_read as _number
from house_prices.cleaning import text_as_read as _text

KEPT = (
    "brokered_by", "status", "price", "bed", "bath", "acre_lot", "street", "city", "state", "zip_code", "house_size",
    "prev_sold_date",
)  # fmt: skip
"""The columns of CLEAN that describe the home."""


READ = f"""
CREATE TEMPORARY TABLE read_rows ON COMMIT DROP AS
SELECT *,
       {cleaning.zip_code("zip_number")} AS zip_code,
       street::text || '|' || {cleaning.zip_code("zip_number")} AS property_key
  FROM (SELECT r.row_number, r.other,
               ({cleaning.BROKER})::integer AS brokered_by,
               {_text("status")} AS status,
               {_number("price")} AS price,
               {_number("bed")} AS bed,
               {_number("bath")} AS bath,
               CASE WHEN {_number("acre_lot")} BETWEEN 0 AND {cleaning.ACRE_LOT_LARGEST}
                    THEN {_number("acre_lot")} END AS acre_lot,
               {cleaning.STREET} AS street,
               {_text("city")} AS city,
               {_text("state")} AS state,
               coalesce(r.zip_code::text, r.other->>'zip_code') AS zip_delivered,
               {cleaning.ZIP_NUMBER} AS zip_number,
               {_number("house_size")} AS house_size,
               {cleaning.date_as_read("prev_sold_date")} AS prev_sold_date
          FROM raw.listings AS r
         WHERE r.batch_id = %(batch_id)s) AS delivered
"""
"""Every value read into its type; what cannot be read is null."""

_BROKEN = "\n".join(f"            WHEN {rule.breaks} THEN '{rule.name}'" for rule in cleaning.QUARANTINE)
_FOUND = "\n".join(f"            WHEN {rule.breaks} THEN {rule.found}" for rule in cleaning.QUARANTINE)

JUDGE = f"""
CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
SELECT *,
       CASE
{_BROKEN}
       END AS rule,
       CASE
{_FOUND}
       END AS found
  FROM read_rows
"""

ANALYSE = "ANALYZE judged"
"""A temporary table has no statistics of its own; without them the join with CLEAN is planned for a handful of rows."""

_SAME = "property_key, status, price, bed, bath, acre_lot, house_size, prev_sold_date"
_HOME = "street, zip_number"
"""The parts of the property key: numbers sort faster than text."""

MARK = f"""
CREATE TEMPORARY TABLE marked ON COMMIT DROP AS
WITH sound AS (
    SELECT *,
           row_number() OVER (PARTITION BY {_SAME.replace("property_key", _HOME)} ORDER BY row_number) AS repeat,
           row_number() OVER (PARTITION BY {_HOME} ORDER BY row_number) AS appearance
      FROM judged WHERE rule IS NULL
), known AS (
    SELECT DISTINCT ON ({_SAME}) {_SAME}, batch_id, row_number
      FROM clean.listings
     WHERE batch_id < %(batch_id)s AND property_key IN (SELECT property_key FROM sound)
     ORDER BY {_SAME}, batch_id, row_number
), homes AS (
    SELECT DISTINCT property_key FROM known
)
SELECT sound.*,
       sound.repeat > 1 OR known.batch_id IS NOT NULL AS duplicate,
       CASE WHEN known.batch_id IS NOT NULL THEN 'batch ' || known.batch_id || ', row ' || known.row_number
            WHEN sound.repeat > 1 THEN 'this batch' END AS repeats,
       sound.appearance > 1 OR homes.property_key IS NOT NULL AS relisted
  FROM sound
  LEFT JOIN homes USING (property_key)
  LEFT JOIN known
    ON known.property_key = sound.property_key AND known.status = sound.status AND known.price = sound.price
   AND known.bed IS NOT DISTINCT FROM sound.bed AND known.bath IS NOT DISTINCT FROM sound.bath
   AND known.acre_lot IS NOT DISTINCT FROM sound.acre_lot AND known.house_size IS NOT DISTINCT FROM sound.house_size
   AND known.prev_sold_date IS NOT DISTINCT FROM sound.prev_sold_date
"""

QUARANTINE = """
INSERT INTO clean.quarantine (batch_id, row_number, rule, detail)
SELECT %(batch_id)s, row_number, rule, coalesce(found, 'nothing') FROM judged WHERE rule IS NOT NULL
UNION ALL
SELECT %(batch_id)s, row_number, 'DUPLICATE_LISTING', 'the same listing as in ' || repeats FROM marked WHERE duplicate
"""

ACCEPT = f"""
INSERT INTO clean.listings (batch_id, row_number, property_key, bucket, split, relisted, {", ".join(KEPT)})
SELECT %(batch_id)s, row_number, property_key, bucket, {cleaning.SPLIT}, relisted, {", ".join(KEPT)}
  FROM (SELECT *, ('x' || left(md5(property_key), 8))::bit(32)::bigint %% 100 AS bucket
          FROM marked WHERE NOT duplicate) AS accepted
 ORDER BY row_number
"""

_ALL_TEXTS = ", ".join(f"coalesce({name}::text, '')" for name in KEPT)

SUMMARISE = f"""
INSERT INTO clean.batches (batch_id, run_id, rules_version, rows_in, rows_accepted, rows_new, rows_relisted, rows_quarantined,
                           rows_by_split, digest)
SELECT %(batch_id)s, %(run_id)s, %(rules_version)s,
       (SELECT count(*) FROM read_rows),
       count(*), count(*) FILTER (WHERE NOT relisted), count(*) FILTER (WHERE relisted),
       (SELECT count(*) FROM clean.quarantine WHERE batch_id = %(batch_id)s),
       jsonb_build_object('train', count(*) FILTER (WHERE split = 'train'),
                          'validation', count(*) FILTER (WHERE split = 'validation'),
                          'calibration', count(*) FILTER (WHERE split = 'calibration'),
                          'test', count(*) FILTER (WHERE split = 'test')),
       encode(sha256(coalesce(string_agg(sha256(convert_to(
           concat_ws('|', row_number, property_key, bucket, split, relisted, {_ALL_TEXTS}),
           'UTF8')), ''::bytea ORDER BY row_number), ''::bytea)), 'hex')
  FROM clean.listings WHERE batch_id = %(batch_id)s
RETURNING rows_in, rows_accepted, rows_new, rows_relisted, rows_quarantined, rows_by_split, digest
"""

DONE = """
SELECT rows_in, rows_accepted, rows_new, rows_relisted, rows_quarantined, rows_by_split, digest
  FROM clean.batches WHERE batch_id = %(batch_id)s
"""

QUARANTINED = """
SELECT rule, count(*) AS rows, min(detail) AS example FROM clean.quarantine
 WHERE batch_id = %(batch_id)s GROUP BY rule ORDER BY count(*) DESC, rule
"""
