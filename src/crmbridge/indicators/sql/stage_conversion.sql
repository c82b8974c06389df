-- Stage conversion: of the deals that entered a stage and left it, those that went forward or were won. A deal's last
-- visit of the stage counts; by periods, every visit counts in the one in which it was left. Stages where nothing is sold
-- any more have none.
SELECT
    part_of(GROUPING(stage, seg, period)) AS part,
    stage,
    seg,
    period,
    sum(n) AS entered,
    sum(n) FILTER (WHERE went = 'forward') AS forward,
    sum(n) FILTER (WHERE went = 'lost') AS lost,
    sum(n) FILTER (WHERE went = 'back') AS back,
    sum(n) FILTER (WHERE went = 'elsewhere') AS elsewhere,
    sum(n) FILTER (WHERE went = 'open') AS open,
    sum(n) FILTER (WHERE went <> 'open') AS "left"
FROM (
    SELECT stage, seg, bucket(month) AS period, way(stage, to_stage, to_status) AS went, n
    FROM flow
    WHERE sells(stage) AND is_in(month) AND (is_last OR has_periods())
)
GROUP BY GROUPING SETS ((stage, seg, period), (stage, period), (period), (stage), ());
