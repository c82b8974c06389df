-- The open pipeline: deals that are still sold, what they are worth, and how many of them have an amount at all.
SELECT
    part_of(GROUPING(stage, seg, period)) AS part,
    stage,
    seg,
    period,
    sum(n) AS deals,
    sum(priced) AS priced,
    sum(amount) AS amount
FROM (SELECT *, NULL::INTEGER AS period FROM worth WHERE status = 'open' AND stage IS NOT NULL)
GROUP BY GROUPING SETS ((stage, seg, period), (stage), ());
