-- Open findings: those that have not been cleared and are not waived. Rows are per segment, else per owner of the deal.
-- By periods, those that were open when the period ended, whoever has accepted one since.
WITH found AS MATERIALIZED (
    SELECT
        finding.no,
        here.ordinal AS place,
        finding.severity,
        finding.since,
        finding.opened_at,
        finding.cleared_at,
        finding.waived_by,
        CASE WHEN is_grouped() THEN deal.segment ELSE deal.owner END AS who
    FROM state.findings AS finding
    JOIN deals AS deal ON deal.no = finding.no
    LEFT JOIN stages AS here ON here.ordinal = finding.stage
)
SELECT
    CASE WHEN GROUPING(who) = 0 THEN 'row' WHEN GROUPING(place) = 0 THEN 'stage' ELSE 'all' END AS part,
    place AS stage,
    who,
    NULL::INTEGER AS period,
    count(*) FILTER (WHERE severity = 'error') AS errors,
    count(*) FILTER (WHERE severity = 'warning') AS warnings,
    count(*) FILTER (WHERE severity = 'info') AS infos,
    count(DISTINCT no) AS deals,
    count(*) AS total,
    days_between(min(since), any_value(moment.as_of)) AS oldest_days
FROM found
CROSS JOIN moment
WHERE cleared_at IS NULL AND waived_by IS NULL
GROUP BY GROUPING SETS ((who), (place), ())
UNION ALL
SELECT
    CASE WHEN GROUPING(found.place) = 0 THEN 'stage_trend' ELSE 'trend' END,
    found.place,
    NULL,
    ended.period,
    count(*) FILTER (WHERE found.severity = 'error'),
    count(*) FILTER (WHERE found.severity = 'warning'),
    count(*) FILTER (WHERE found.severity = 'info'),
    count(DISTINCT found.no),
    count(*),
    NULL
FROM found
JOIN period_ends AS ended
    ON found.opened_at < ended.until AND (found.cleared_at IS NULL OR found.cleared_at >= ended.until)
GROUP BY GROUPING SETS ((found.place, ended.period), (ended.period))
ORDER BY errors DESC, warnings DESC, infos DESC, who;
