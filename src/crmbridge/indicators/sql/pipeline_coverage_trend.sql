-- The open pipeline as it was when each period ended: the deals that were open then, at what they are worth now.
SELECT
    CASE GROUPING(stage) WHEN 0 THEN 'stage_trend' ELSE 'trend' END AS part,
    stage,
    period,
    count(*) AS deals,
    count(value) AS priced,
    sum(value) AS amount
FROM stood
GROUP BY GROUPING SETS ((stage, period), (period));
