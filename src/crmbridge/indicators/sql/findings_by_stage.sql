-- Open findings by the stage that they are about; those of a deal that stands in none are about none.
SELECT
    CASE WHEN GROUPING(here.ordinal) = 0 THEN 'row' ELSE 'all' END AS part,
    here.ordinal AS stage,
    NULL::INTEGER AS seg,
    NULL::INTEGER AS period,
    count(*) FILTER (WHERE finding.severity = 'error') AS errors,
    count(*) FILTER (WHERE finding.severity = 'warning') AS warnings,
    count(*) FILTER (WHERE finding.severity = 'info') AS infos,
    count(DISTINCT finding.no) AS deals,
    count(*) AS total
FROM findings AS finding
LEFT JOIN stages AS here ON here.id = finding.stage
WHERE finding.cleared_at IS NULL AND finding.waived_by IS NULL
GROUP BY GROUPING SETS ((here.ordinal), ());
