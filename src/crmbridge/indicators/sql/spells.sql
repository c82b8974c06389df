-- spells: how long things lasted, in whole minutes: visits of stages, and deals from their first stage until they were
-- closed. `ended` of the `n` are over; the others last still. `line` is one number for the part of a measure that a row
-- belongs to: 3 bits for the measure and part, 8 for the stage, 24 for the segment, and the rest for the period, which may
-- lie before 1970. Grouping and windows over one number are several times as fast as over five columns. What is not cut
-- into segments or periods has its rows in its totals, which are added up already.
CREATE OR REPLACE TEMP TABLE spells AS
WITH stays AS MATERIALIZED (
    SELECT
        CASE WHEN is_cut() THEN 0 ELSE 1 END
        + ((visit.stage + 1)::BIGINT << 3)
        + CASE
            WHEN is_cut() THEN of_part(
                grouped.seg, CASE WHEN has_periods() THEN bucket(month_of(visit.entered_at)) END
            )
            ELSE 0
        END AS line,
        minutes_between(visit.entered_at, coalesce(visit.left_at, moment.as_of))::INTEGER AS minutes,
        count(*)::INTEGER AS n,
        count(visit.left_at)::INTEGER AS ended
    FROM state.visits AS visit
    LEFT JOIN grouped ON grouped.no = visit.no
    CROSS JOIN moment
    WHERE visit.stage >= 0
    GROUP BY ALL
),
cycles AS MATERIALIZED (
    SELECT
        CASE WHEN is_cut() THEN 3 ELSE 4 END
        + CASE
            WHEN is_cut() THEN of_part(
                grouped.seg, CASE WHEN has_periods() THEN bucket(month_of(deal.first_at)) END
            )
            ELSE 0
        END::BIGINT AS line,
        minutes_between(deal.first_at, coalesce(deal.closed_at, moment.as_of))::INTEGER AS minutes,
        count(*)::INTEGER AS n,
        count(deal.closed_at)::INTEGER AS ended
    FROM deals AS deal
    LEFT JOIN grouped ON grouped.no = deal.no
    CROSS JOIN moment
    WHERE deal.first_at IS NOT NULL AND (deal.status = 'open' OR deal.closed_at IS NOT NULL)
    GROUP BY ALL
)
SELECT line, minutes, n, ended FROM stays
UNION ALL
SELECT 1 + (line & 2040), minutes, sum(n)::INTEGER, sum(ended)::INTEGER
FROM stays
WHERE is_cut()
GROUP BY line & 2040, minutes
UNION ALL
SELECT 2, minutes, sum(n)::INTEGER, sum(ended)::INTEGER FROM stays GROUP BY minutes
UNION ALL
SELECT line, minutes, n, ended FROM cycles
UNION ALL
SELECT 4, minutes, sum(n)::INTEGER, sum(ended)::INTEGER
FROM cycles
WHERE is_cut()
GROUP BY minutes;

-- usual: how many spells each part has, and when half of them, and nine in ten, are over; NULL where it has not come to
-- that yet. Of a product limit, each step is the share of those at risk who go on. While none drops out, what goes on after
-- one step is at risk in the next, so the steps of such a stretch come to its first and last number, and only the
-- stretches, of which there are few, are multiplied one by one: what lasts is `lasting` times what `one` stands for.
CREATE OR REPLACE TEMP TABLE usual AS
WITH lines AS MATERIALIZED (
    SELECT
        line,
        (line & 7)::INTEGER AS what,
        (nullif(line >> 3 & 255, 0) - 1)::TINYINT AS stage,
        (nullif(line >> 11 & 16777215, 0) - 1)::INTEGER AS seg,
        (nullif(line >> 35, 0) - 100000)::INTEGER AS period,
        sum(n)::BIGINT AS spells,
        sum(ended)::BIGINT AS closed
    FROM spells
    GROUP BY line
),
ending AS (
    SELECT line, spells, coalesce(sum(spells) OVER higher, 0) AS before
    FROM lines
    WHERE closed > 0
    WINDOW higher AS (ORDER BY line DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
steps AS MATERIALIZED (
    -- One window over all lines, less the lines before, is faster than one for each line.
    SELECT line, minutes, drops_out, at_risk - ended AS lasting, at_risk - n AS going_on
    FROM (
        SELECT
            spells.line,
            spells.minutes,
            spells.n,
            spells.ended,
            spells.n > spells.ended AS drops_out,
            (sum(spells.n) OVER (ORDER BY spells.line DESC, spells.minutes DESC ROWS UNBOUNDED PRECEDING) - ending.before)::INTEGER
                AS at_risk
        FROM spells
        JOIN ending ON ending.line = spells.line
    )
),
stretches AS (
    SELECT
        steps.line,
        coalesce(lag(steps.minutes) OVER in_time, -1) AS since,
        steps.minutes AS until,
        steps.lasting,
        coalesce(product(steps.lasting / steps.going_on) OVER before, 1) / ending.spells AS one
    FROM steps
    JOIN ending ON ending.line = steps.line
    WHERE steps.drops_out OR steps.going_on = 0
    WINDOW
        in_time AS (PARTITION BY steps.line ORDER BY steps.minutes),
        before AS (PARTITION BY steps.line ORDER BY steps.minutes ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
crossed AS (
    -- A share that is a half exactly must not miss it by a hair of binary rounding.
    SELECT
        stretches.line,
        asked.share,
        min(stretches.until) AS until,
        arg_min(stretches.since, stretches.until) AS since,
        arg_min(stretches.one, stretches.until) AS one
    FROM stretches
    JOIN (VALUES (0.5 + 1e-9), (0.1 + 1e-9)) AS asked (share) ON stretches.one * stretches.lasting <= asked.share
    GROUP BY ALL
),
over AS (
    SELECT
        steps.line,
        min(steps.minutes) FILTER (WHERE crossed.share >= 0.5) / 1440 AS median_days,
        min(steps.minutes) FILTER (WHERE crossed.share < 0.5) / 1440 AS p90_days
    FROM steps
    JOIN crossed
        ON crossed.line = steps.line
        AND steps.minutes > crossed.since
        AND steps.minutes <= crossed.until
        AND crossed.one * steps.lasting <= crossed.share
    GROUP BY steps.line
)
SELECT
    is_of.measure,
    is_of.part,
    lines.stage,
    lines.seg,
    lines.period,
    lines.spells,
    lines.closed,
    lines.spells - lines.closed AS open,
    over.median_days,
    over.p90_days
FROM lines
JOIN (
    VALUES
        (0, 'stage', 'row', TRUE), (1, 'stage', 'stage', TRUE), (2, 'stage', 'all', TRUE),
        (3, 'cycle', 'row', TRUE), (4, 'cycle', 'all', TRUE),
        (1, 'stage', 'row', FALSE), (4, 'cycle', 'row', FALSE)
) AS is_of (what, measure, part, cut) ON is_of.what = lines.what
LEFT JOIN over ON over.line = lines.line
WHERE is_of.cut OR NOT is_cut();

DROP TABLE spells;

-- waiting: visits that still last, with their age.
CREATE OR REPLACE TEMP TABLE waiting AS
SELECT
    visit.no,
    visit.stage,
    grouped.seg,
    CASE WHEN has_periods() THEN bucket(month_of(visit.entered_at)) END AS period,
    days_between(visit.entered_at, moment.as_of) AS age_days
FROM state.visits AS visit
LEFT JOIN grouped ON grouped.no = visit.no
CROSS JOIN moment
WHERE visit.left_at IS NULL AND visit.stage >= 0;
