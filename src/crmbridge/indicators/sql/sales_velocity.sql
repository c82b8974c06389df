-- Sales velocity: open deals x win rate x average amount of the won ones / average days from their first stage until they
-- were won. What it is made of stands beside it. Open deals that stand where the process has no stage are none of it.
SELECT *, open * (won / nullif(closed, 0)) * amount / nullif(days, 0) AS velocity
FROM (
    SELECT
        CASE WHEN GROUPING(seg) = 0 THEN 'row' ELSE 'all' END AS part,
        NULL::TINYINT AS stage,
        seg,
        NULL::INTEGER AS period,
        coalesce(sum(n) FILTER (WHERE status = 'open' AND worth.stage IS NOT NULL), 0) AS open,
        coalesce(sum(n) FILTER (WHERE status = 'won'), 0) AS won,
        coalesce(sum(n) FILTER (WHERE status <> 'open'), 0) AS closed,
        sum(priced) FILTER (WHERE status = 'won') AS priced,
        sum(worth.amount) FILTER (WHERE status = 'won') / nullif(sum(priced) FILTER (WHERE status = 'won'), 0) AS amount,
        sum(timed) FILTER (WHERE status = 'won') AS timed,
        sum(worth.days) FILTER (WHERE status = 'won') / nullif(sum(timed) FILTER (WHERE status = 'won'), 0) AS days
    FROM worth
    GROUP BY GROUPING SETS ((seg), ())
);
