-- Win rate by close: of the deals that are won or lost now, the won ones.
-- The row without a stage counts all; a stage's row counts the deals that visited it.
SELECT 'all' AS part, NULL AS stage, count(*) FILTER (WHERE status = 'won') AS won,
    count(*) FILTER (WHERE status = 'lost') AS lost, count(*) AS closed
FROM deals
WHERE status IN ('won', 'lost')
UNION ALL
SELECT 'stage' AS part, visit.stage, count(*) FILTER (WHERE deal.status = 'won') AS won,
    count(*) FILTER (WHERE deal.status = 'lost') AS lost, count(*) AS closed
FROM deals AS deal
JOIN visits AS visit ON visit.connection = deal.connection AND visit.deal = deal.deal AND visit.is_last
WHERE deal.status IN ('won', 'lost')
GROUP BY visit.stage;
