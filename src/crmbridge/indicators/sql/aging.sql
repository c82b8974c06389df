-- Aging: open deals by how long they have been in their stage, beside what is usual there: half of all visits of the stage
-- are over by its median, nine in ten by its 90th percentile. Where so many visits still last that nine in ten never were
-- over, nobody can tell whether a deal is older than that: such deals are in no share, else a stage in which all deals are
-- stuck would look as if none were.
SELECT
    part_of(GROUPING(stage, seg, period)) AS part,
    stage,
    seg,
    period,
    count(*) AS open,
    count(*) FILTER (WHERE age_days <= median_days) AS usual,
    count(*) FILTER (WHERE age_days > median_days AND age_days <= coalesce(p90_days, age_days)) AS slow,
    count(*) FILTER (WHERE age_days > p90_days) AS old,
    count(p90_days) AS told,
    count(*) - count(p90_days) AS untold,
    quantile_cont(age_days, 0.5) AS median_age_days
FROM (
    SELECT waiting.stage, waiting.seg, NULL::INTEGER AS period, waiting.age_days, usual.median_days, usual.p90_days
    FROM waiting
    JOIN usual ON usual.measure = 'stage' AND usual.part = 'stage' AND usual.stage = waiting.stage
    WHERE sells(waiting.stage)
)
GROUP BY GROUPING SETS ((stage, seg, period), (stage), ());
