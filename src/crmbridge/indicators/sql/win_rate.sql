-- Win rate by close date: of the deals that are won or lost now, the won ones. By periods, of those whose date is known.
-- A stage's row counts the deals that were in it, whenever they were closed.
SELECT
    CASE GROUPING(seg, period) WHEN 0 THEN 'row' WHEN 3 THEN 'all' END AS part,
    NULL::TINYINT AS stage,
    seg,
    period,
    sum(n) FILTER (WHERE status = 'won') AS won,
    sum(n) FILTER (WHERE status = 'lost') AS lost,
    sum(n) AS closed
FROM (SELECT seg, bucket(month) AS period, status, n FROM worth WHERE status <> 'open' AND is_in(month))
GROUP BY GROUPING SETS ((seg, period), ())
UNION ALL
SELECT
    'stage',
    here.ordinal,
    NULL,
    NULL,
    sum(path.n) FILTER (WHERE path.status = 'won'),
    sum(path.n) FILTER (WHERE path.status = 'lost'),
    sum(path.n)
FROM paths AS path
JOIN stages AS here ON path.visited >> here.ordinal & 1 = 1
WHERE path.status <> 'open'
GROUP BY here.ordinal
UNION ALL
-- As it was known when the period ended: a deal that came back since was closed then.
SELECT
    'stage_trend',
    here.ordinal,
    NULL,
    closing.period,
    sum(closing.n) FILTER (WHERE closing.to_status = 1),
    sum(closing.n) FILTER (WHERE closing.to_status = 2),
    sum(closing.n)
FROM closings AS closing
JOIN stages AS here ON closing.visited >> here.ordinal & 1 = 1
GROUP BY here.ordinal, closing.period
UNION ALL
SELECT
    'trend',
    NULL,
    NULL,
    period,
    sum(n) FILTER (WHERE to_status = 1),
    sum(n) FILTER (WHERE to_status = 2),
    sum(n)
FROM closings
GROUP BY period;
