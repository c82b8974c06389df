-- Time in stage by period, as it was known when the period ended: the median of the visits that were over in it.
SELECT
    CASE GROUPING(stage, period) WHEN 0 THEN 'stage_trend' ELSE 'trend' END AS part,
    stage,
    period,
    count(*) AS visits,
    quantile_cont(days, 0.5) AS median_days
FROM (
    SELECT stage, bucket(month_of(left_at)) AS period, days_between(entered_at, left_at) AS days
    FROM state.visits
    WHERE stage >= 0 AND left_at IS NOT NULL AND left_at >= (SELECT min(until) - INTERVAL 1 YEAR FROM period_ends)
)
WHERE period IN (SELECT period FROM period_ends)
GROUP BY GROUPING SETS ((stage, period), (period));
