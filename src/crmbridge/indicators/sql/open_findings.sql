-- Open findings: those that have not been cleared and are not waived, per owner of the deal, per stage, and all together.
SELECT
    CASE WHEN GROUPING(owner) = 0 THEN 'row' WHEN GROUPING(stage) = 0 THEN 'stage' ELSE 'all' END AS part,
    owner AS segment,
    stage,
    count(*) FILTER (WHERE severity = 'error') AS errors,
    count(*) FILTER (WHERE severity = 'warning') AS warnings,
    count(*) FILTER (WHERE severity = 'info') AS infos,
    count(DISTINCT (connection, deal)) AS deals,
    count(*) AS total,
    greatest(epoch_us(any_value(moment.as_of)) - epoch_us(min(since)), 0) / 86400e6 AS oldest_days
FROM findings
CROSS JOIN moment
WHERE cleared_at IS NULL AND waived_by IS NULL
GROUP BY GROUPING SETS ((owner), (stage), ())
ORDER BY errors DESC, warnings DESC, infos DESC, owner;
