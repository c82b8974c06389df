-- SLA attainment: of the closed clocks, those that ended within their goal; and how the running ones stand now.
-- Rows are per SLA; per stage (no SLA); and over all (neither).
SELECT
    CASE WHEN GROUPING(clock.sla) = 0 THEN 'row' WHEN GROUPING(clock.stage) = 0 THEN 'stage' ELSE 'all' END AS part,
    clock.stage,
    clock.sla,
    min(clock.stage_ordinal) AS stage_ordinal,
    count(*) FILTER (WHERE NOT clock.is_running) AS closed,
    count(*) FILTER (WHERE NOT clock.is_running AND clock.state <> 'breached') AS within_goal,
    count(*) FILTER (WHERE clock.is_running) AS running,
    count(*) FILTER (WHERE clock.is_running AND clock.state = 'at_risk') AS at_risk,
    count(*) FILTER (WHERE clock.is_running AND clock.state = 'breached') AS breached
FROM clocks AS clock
GROUP BY GROUPING SETS ((clock.stage, clock.sla), (clock.stage), ())
ORDER BY stage_ordinal, clock.sla;
