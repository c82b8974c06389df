-- Time in stage: how long visits last until half of them, and nine in ten, are over. A visit that still lasts counts as
-- one that lasts at least so long (Kaplan and Meier's product limit). By periods, a visit counts in the one in which it
-- began. The open ones stand beside it with their ages.
SELECT spell.*, usual.median_days, usual.p90_days, open.age_days AS open_median_days
FROM (
    SELECT part, stage, seg, period, sum(n)::BIGINT AS visits, sum(ended)::BIGINT AS closed, sum(n - ended)::BIGINT AS open
    FROM spells
    WHERE measure = 'stage'
    GROUP BY ALL
) AS spell
JOIN usual ON usual.measure = 'stage'
    AND usual.part IS NOT DISTINCT FROM spell.part
    AND usual.stage IS NOT DISTINCT FROM spell.stage
    AND usual.seg IS NOT DISTINCT FROM spell.seg
    AND usual.period IS NOT DISTINCT FROM spell.period
LEFT JOIN (
    SELECT part_of(GROUPING(stage, seg, period)) AS part, stage, seg, period, quantile_cont(age_days, 0.5) AS age_days
    FROM waiting
    GROUP BY GROUPING SETS ((stage, seg, period), (stage), ())
) AS open
    ON open.part IS NOT DISTINCT FROM spell.part
    AND open.stage IS NOT DISTINCT FROM spell.stage
    AND open.seg IS NOT DISTINCT FROM spell.seg
    AND open.period IS NOT DISTINCT FROM spell.period;
