-- Win rate by close: of the deals that are won or lost now, the won ones.
-- The row without a stage counts all; a stage's row counts the deals that visited it.
SELECT NULL AS stage, count(*) FILTER (WHERE status = 'won') AS won, count(*) AS closed
FROM deals
WHERE status IN ('won', 'lost')
UNION ALL
SELECT visit.stage, count(*) FILTER (WHERE deal.status = 'won') AS won, count(*) AS closed
FROM deals AS deal
JOIN visits AS visit ON visit.connection = deal.connection AND visit.deal = deal.deal AND visit.is_last
WHERE deal.status IN ('won', 'lost')
GROUP BY visit.stage;
