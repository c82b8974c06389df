-- Cycle time: from a deal's first stage until it was won or lost. Deals that are still open count as ones that take at
-- least so long. By periods, a deal counts in the one in which it began. Apart from that, the median of the won ones.
SELECT
    usual.part,
    NULL::TINYINT AS stage,
    usual.seg,
    usual.period,
    usual.spells AS deals,
    usual.closed,
    usual.open,
    usual.median_days,
    usual.p90_days,
    won.won,
    won.days AS won_median_days
FROM usual
LEFT JOIN (
    SELECT
        CASE GROUPING(seg, period) WHEN 0 THEN 'row' ELSE 'all' END AS part,
        seg,
        period,
        count(*) AS won,
        quantile_cont(days, 0.5) AS days
    FROM (
        SELECT grouped.seg, bucket(month_of(deal.first_at)) AS period, days_between(deal.first_at, deal.closed_at) AS days
        FROM deals AS deal
        LEFT JOIN grouped ON grouped.no = deal.no
        WHERE deal.status = 'won' AND deal.closed_at IS NOT NULL AND deal.first_at IS NOT NULL
    )
    GROUP BY GROUPING SETS ((seg, period), ())
) AS won
    ON won.part = usual.part
    AND won.seg IS NOT DISTINCT FROM usual.seg
    AND won.period IS NOT DISTINCT FROM usual.period
WHERE usual.measure = 'cycle';
