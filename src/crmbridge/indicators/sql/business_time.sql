-- The median business time of finished visits, as the stage's own SLA measured it; of the stages in `watched`.
SELECT
    CASE GROUPING(period) WHEN 0 THEN 'stage_trend' ELSE 'stage' END AS part,
    stage,
    period,
    count(*) AS business_closed,
    quantile_cont(elapsed_seconds, 0.5) AS business_median_seconds
FROM (
    SELECT clock.stage, bucket(month_of(clock.ended_at)) AS period, clock.elapsed_seconds
    FROM state.clocks AS clock
    JOIN watched ON watched.stage = clock.stage AND watched.sla = clock.sla
    WHERE NOT clock.is_running
)
GROUP BY GROUPING SETS ((stage, period), (stage));
