-- SLA attainment: of the clocks that ended, those that ended within their goal; and how the running ones stand now. By
-- periods, a clock counts in the one in which it ended.
SELECT
    CASE WHEN GROUPING(sla) = 0 THEN 'row' ELSE part_of(GROUPING(stage, seg, period)) END AS part,
    stage,
    sla,
    seg,
    period,
    coalesce(sum(n) FILTER (WHERE NOT is_running), 0) AS closed,
    sum(n) FILTER (WHERE NOT is_running AND state < 2) AS within_goal,
    sum(n) FILTER (WHERE is_running) AS running,
    sum(n) FILTER (WHERE is_running AND state = 1) AS at_risk,
    sum(n) FILTER (WHERE is_running AND state = 2) AS breached
FROM (SELECT stage, sla, seg, bucket(month) AS period, state, is_running, n FROM state.kept WHERE stage >= 0 AND is_in(month))
GROUP BY GROUPING SETS ((stage, sla, seg, period), (stage, period), (period), (stage), ())
ORDER BY sla;
