-- Stage conversion: of the deals that entered a stage and left it, those that went forward or were won.
-- A deal's last visit of the stage counts. The row without a stage adds up all stages where deals are still sold.
SELECT
    CASE WHEN GROUPING(visit.stage) = 0 THEN 'stage' ELSE 'all' END AS part,
    visit.stage,
    count(*) AS entered,
    count(*) FILTER (WHERE visit.went = 'forward') AS forward,
    count(*) FILTER (WHERE visit.went = 'lost') AS lost,
    count(*) FILTER (WHERE visit.went = 'back') AS back,
    count(*) FILTER (WHERE visit.went = 'elsewhere') AS elsewhere,
    count(*) FILTER (WHERE visit.went = 'open') AS open,
    count(*) FILTER (WHERE visit.went <> 'open') AS "left"
FROM visits AS visit
JOIN stages AS here ON here.id = visit.stage AND here.status = 'open'
WHERE visit.is_last
GROUP BY GROUPING SETS ((visit.stage), ());
