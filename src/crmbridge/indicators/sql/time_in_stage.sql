-- Time in stage: how long closed visits lasted, and apart from them how old the open ones are. Quantiles are
-- interpolated. business_* is the business time of closed visits that the stage's own SLA measured.
-- The row without a stage is over all stages.
SELECT
    CASE WHEN GROUPING(visit.stage) = 0 THEN 'stage' ELSE 'all' END AS part,
    visit.stage,
    count(visit.days) AS closed,
    quantile_cont(visit.days, 0.5) AS median_days,
    quantile_cont(visit.days, 0.9) AS p90_days,
    count(visit.age_days) AS open,
    quantile_cont(visit.age_days, 0.5) AS open_median_days,
    count(clock.elapsed_seconds) AS business_closed,
    quantile_cont(clock.elapsed_seconds, 0.5) AS business_median_seconds
FROM visits AS visit
LEFT JOIN clocks AS clock
    ON clock.connection = visit.connection AND clock.deal = visit.deal AND clock.stage = visit.stage
    AND clock.number = visit.number AND clock.sla = visit.stage || '.sla' AND NOT clock.is_running
GROUP BY GROUPING SETS ((visit.stage), ());
