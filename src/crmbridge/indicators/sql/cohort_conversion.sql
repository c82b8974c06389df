-- Conversion of cohorts, by when the deals came into their first stage. Three ways to count, side by side:
-- reached or beyond (who skipped a stage has reached it), strict (was in both stages), direct (from one straight into the
-- next). After the last stage comes being won. Deals that are still on their way are in the denominators.
SELECT
    part_of(GROUPING(stage, seg, period)) AS part,
    stage,
    seg,
    period,
    sum(n) FILTER (WHERE has_reached) AS reached,
    sum(n) FILTER (WHERE has_reached AND has_reached_next) AS reached_next,
    sum(n) FILTER (WHERE was_here) AS entered,
    sum(n) FILTER (WHERE was_here AND was_next) AS entered_next,
    sum(n) FILTER (WHERE was_here AND went_straight) AS straight,
    sum(n) FILTER (WHERE was_here AND is_open) AS open
FROM (
    SELECT
        here.ordinal AS stage,
        path.seg,
        bucket(path.month) AS period,
        path.n,
        path.status = 'won' OR path.highest >= here.ordinal AS has_reached,
        path.status = 'won' OR path.highest > here.ordinal AS has_reached_next,
        path.visited >> here.ordinal & 1 = 1 AS was_here,
        CASE WHEN here.ordinal = last_stage() THEN path.status = 'won' OR path.highest > here.ordinal
            ELSE path.visited >> (here.ordinal + 1) & 1 = 1 END AS was_next,
        path.direct >> here.ordinal & 1 = 1 AS went_straight,
        path.status = 'open' AS is_open
    FROM paths AS path
    JOIN stages AS here ON here.status = 'open'
)
GROUP BY GROUPING SETS ((stage, seg, period), (stage, period), (period), (stage), ());
