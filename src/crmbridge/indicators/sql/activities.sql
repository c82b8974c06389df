-- Activities on evaluated deals, by type. By periods, an activity counts in the one in which it happened or is due. One
-- that hangs on several deals is one activity.
SELECT
    CASE GROUPING(type, seg, period) WHEN 0 THEN 'row' WHEN 6 THEN 'trend' WHEN 7 THEN 'all' END AS part,
    NULL::TINYINT AS stage,
    type,
    seg,
    period,
    count(DISTINCT (connection, id)) AS activities,
    count(DISTINCT (connection, id)) FILTER (WHERE is_done) AS done,
    count(DISTINCT (connection, id)) FILTER (WHERE NOT is_done) AS to_do,
    count(DISTINCT no) AS deals
FROM (
    SELECT activity.*, grouped.seg, bucket(month_of(activity.happened_at)) AS period
    FROM activities AS activity
    LEFT JOIN grouped ON grouped.no = activity.no
    WHERE is_in(month_of(activity.happened_at))
)
GROUP BY GROUPING SETS ((type, seg, period), (period), ())
ORDER BY activities DESC, type;
