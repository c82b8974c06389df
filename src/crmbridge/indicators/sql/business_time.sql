-- The median business time of finished visits, as the stage's own SLA measured it; of the stages in `aimed`.
SELECT
    CASE GROUPING(period) WHEN 0 THEN 'stage_trend' ELSE 'stage' END AS part,
    stage,
    period,
    count(*) AS business_closed,
    quantile_cont(elapsed_seconds, 0.5) AS business_median_seconds
FROM (
    SELECT clock.stage, bucket(clock.month) AS period, unnest(clock.business_seconds) AS elapsed_seconds
    FROM state.kept AS clock
    JOIN aimed ON aimed.stage = clock.stage AND aimed.sla = clock.sla
)
GROUP BY GROUPING SETS ((stage, period), (stage));
