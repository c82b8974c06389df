-- Skips: of the times that a deal went forward from a stage, those in which it passed over at least one. Over all, of the
-- deals with a history, those that ever did.
SELECT
    part_of(GROUPING(stage, seg, period)) AS part,
    stage,
    seg,
    period,
    sum(n) FILTER (WHERE is_forward(stage, to_stage, to_status)) AS cases,
    sum(n) FILTER (WHERE is_skip(stage, to_stage, to_status)) AS found
FROM (SELECT *, bucket(month) AS period FROM flow WHERE sells(stage) AND is_in(month))
GROUP BY GROUPING SETS ((stage, seg, period), (stage, period), (period), (stage))
UNION ALL
SELECT 'all', NULL, NULL, NULL, sum(n), sum(n) FILTER (WHERE is_skipped)
FROM paths;
