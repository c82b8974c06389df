-- Time in stage: how long visits last until half of them, and nine in ten, are over. A visit that still lasts counts as
-- one that lasts at least so long (Kaplan and Meier's product limit). By periods, a visit counts in the one in which it
-- began. The open ones stand beside it with their ages.
SELECT
    usual.part,
    usual.stage,
    usual.seg,
    usual.period,
    usual.spells AS visits,
    usual.closed,
    usual.open,
    usual.median_days,
    usual.p90_days,
    waits.age_days AS open_median_days
FROM usual
LEFT JOIN (
    SELECT part_of(GROUPING(stage, seg, period)) AS part, stage, seg, period, quantile_cont(age_days, 0.5) AS age_days
    FROM waiting
    GROUP BY GROUPING SETS ((stage, seg, period), (stage), ())
) AS waits
    ON waits.part IS NOT DISTINCT FROM usual.part
    AND waits.stage IS NOT DISTINCT FROM usual.stage
    AND waits.seg IS NOT DISTINCT FROM usual.seg
    AND waits.period IS NOT DISTINCT FROM usual.period
WHERE usual.measure = 'stage';
