-- spells: how long things lasted, in whole minutes: visits of stages, and deals from their first stage until they were
-- closed. `ended` of the `n` are over; the others last still. Per part of a measure, as its rows are.
CREATE OR REPLACE TEMP TABLE spells AS
WITH stays AS (
    SELECT
        visit.stage,
        grouped.seg,
        CASE WHEN has_periods() THEN bucket(month_of(visit.entered_at)) END AS period,
        minutes_between(visit.entered_at, coalesce(visit.left_at, moment.as_of)) AS minutes,
        count(*) AS n,
        count(visit.left_at) AS ended
    FROM state.visits AS visit
    LEFT JOIN grouped ON grouped.no = visit.no
    CROSS JOIN moment
    WHERE visit.stage >= 0
    GROUP BY ALL
),
cycles AS (
    SELECT
        grouped.seg,
        CASE WHEN has_periods() THEN bucket(month_of(deal.first_at)) END AS period,
        minutes_between(deal.first_at, coalesce(deal.closed_at, moment.as_of)) AS minutes,
        count(*) AS n,
        count(deal.closed_at) AS ended
    FROM deals AS deal
    LEFT JOIN grouped ON grouped.no = deal.no
    CROSS JOIN moment
    WHERE deal.first_at IS NOT NULL AND (deal.status = 'open' OR deal.closed_at IS NOT NULL)
    GROUP BY ALL
)
SELECT
    'stage' AS measure,
    part_of(GROUPING(stage, seg, period)) AS part,
    stage,
    seg,
    period,
    minutes,
    sum(n) AS n,
    sum(ended) AS ended
FROM stays
GROUP BY GROUPING SETS ((stage, seg, period, minutes), (stage, minutes), (minutes))
UNION ALL
SELECT
    'cycle',
    CASE GROUPING(seg, period) WHEN 0 THEN 'row' ELSE 'all' END,
    NULL,
    seg,
    period,
    minutes,
    sum(n),
    sum(ended)
FROM cycles
GROUP BY GROUPING SETS ((seg, period, minutes), (minutes));

-- usual: when half of each part, and nine in ten, are over; NULL where it has not come to that yet.
CREATE OR REPLACE TEMP TABLE usual AS
WITH counted AS (
    SELECT
        *,
        sum(n) OVER (PARTITION BY measure, part, stage, seg, period ORDER BY minutes DESC ROWS UNBOUNDED PRECEDING)
            AS at_risk
    FROM spells
),
lasting AS (
    SELECT
        measure,
        part,
        stage,
        seg,
        period,
        minutes,
        product(1 - ended / at_risk)
            OVER (PARTITION BY measure, part, stage, seg, period ORDER BY minutes ROWS UNBOUNDED PRECEDING) AS lasts
    FROM counted
)
-- A share that is a half exactly must not miss it by a hair of binary rounding.
SELECT
    measure,
    part,
    stage,
    seg,
    period,
    min(minutes) FILTER (WHERE lasts <= 0.5 + 1e-9) / 1440 AS median_days,
    min(minutes) FILTER (WHERE lasts <= 0.1 + 1e-9) / 1440 AS p90_days
FROM lasting
GROUP BY ALL;

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
