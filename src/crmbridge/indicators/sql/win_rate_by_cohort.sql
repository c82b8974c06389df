-- Win rate by cohort: of the deals that came into their first stage in a period, those that are won now; the ones still
-- open are in the denominator, so young cohorts look low until they are through.
SELECT
    'stage' AS part,
    stage,
    NULL::INTEGER AS seg,
    NULL::INTEGER AS period,
    sum(n) FILTER (WHERE status = 'won') AS won,
    sum(n) FILTER (WHERE status = 'lost') AS lost,
    sum(n) FILTER (WHERE status = 'open') AS open,
    sum(n) AS deals
FROM (
    SELECT here.ordinal AS stage, path.status, path.n
    FROM paths AS path
    JOIN stages AS here ON path.visited >> here.ordinal & 1 = 1
)
GROUP BY stage
UNION ALL
SELECT
    CASE GROUPING(seg, period) WHEN 0 THEN 'row' ELSE 'all' END,
    NULL,
    seg,
    period,
    sum(n) FILTER (WHERE status = 'won'),
    sum(n) FILTER (WHERE status = 'lost'),
    sum(n) FILTER (WHERE status = 'open'),
    sum(n)
FROM (SELECT seg, bucket(month) AS period, status, n FROM paths)
GROUP BY GROUPING SETS ((seg, period), ());
