-- Rework: of the visits that are over, those after which the deal went back to an earlier stage; and how many visits were
-- of a stage that the deal had been in before. Over all, of the deals with a history, those that ever did either.
SELECT
    part_of(GROUPING(stage, seg, period)) AS part,
    stage,
    seg,
    period,
    sum(n) FILTER (WHERE to_status IS NOT NULL) AS cases,
    sum(n) FILTER (WHERE is_back(stage, to_stage, to_status)) AS found,
    sum(n) FILTER (WHERE is_repeat) AS again
FROM (SELECT *, bucket(month) AS period FROM flow WHERE sells(stage) AND is_in(month))
GROUP BY GROUPING SETS ((stage, seg, period), (stage, period), (period), (stage))
UNION ALL
SELECT 'all', NULL, NULL, NULL, sum(n), sum(n) FILTER (WHERE is_reworked), NULL
FROM paths;
