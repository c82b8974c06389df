-- Conforming: of the deals that began in a period, those that never went back, never came to a stage again and never
-- passed over one, as far as they have come.
SELECT
    CASE GROUPING(seg, period) WHEN 0 THEN 'row' ELSE 'all' END AS part,
    NULL::TINYINT AS stage,
    seg,
    period,
    sum(n) AS deals,
    sum(n) FILTER (WHERE NOT is_reworked AND NOT is_skipped) AS conforming,
    sum(n) FILTER (WHERE is_reworked) AS reworked,
    sum(n) FILTER (WHERE is_skipped) AS skipped
FROM (SELECT *, bucket(month) AS period FROM paths)
GROUP BY GROUPING SETS ((seg, period), ());
