-- Aging as it was when each period ended: the ages of the deals that were open then, beside what is usual now;
-- of deals in stages of which that is known.
SELECT
    CASE GROUPING(stood.stage) WHEN 0 THEN 'stage_trend' ELSE 'trend' END AS part,
    stood.stage,
    stood.period,
    count(usual.p90_days) AS told,
    count(*) FILTER (WHERE age_days > usual.p90_days) AS old
FROM stood
JOIN usual ON usual.measure = 'stage' AND usual.part = 'stage' AND usual.stage = stood.stage
GROUP BY GROUPING SETS ((stood.stage, stood.period), (stood.period));
