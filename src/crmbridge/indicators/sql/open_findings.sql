-- Open findings: those that have not been cleared and are not waived, per owner of the deal, per stage, and all together.
SELECT
    CASE WHEN GROUPING(owner) = 0 THEN 'owner' WHEN GROUPING(stage) = 0 THEN 'stage' ELSE 'all' END AS part,
    owner,
    stage,
    count(*) FILTER (WHERE severity = 'error') AS errors,
    count(*) FILTER (WHERE severity = 'warning') AS warnings,
    count(*) FILTER (WHERE severity = 'info') AS infos,
    count(DISTINCT (connection, deal)) AS deals,
    min(since) AS oldest
FROM findings
WHERE cleared_at IS NULL AND waived_by IS NULL
GROUP BY GROUPING SETS ((owner), (stage), ())
ORDER BY errors DESC, warnings DESC, infos DESC, owner;
