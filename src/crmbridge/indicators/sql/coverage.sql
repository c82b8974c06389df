-- How much there is to count: evaluated deals by status, those with a history, and how far back it goes.
SELECT
    count(*) AS deals,
    count(*) FILTER (WHERE deal.status = 'open') AS open,
    count(*) FILTER (WHERE deal.status = 'won') AS won,
    count(*) FILTER (WHERE deal.status = 'lost') AS lost,
    count(history.since) AS with_history,
    min(history.since) AS since
FROM deals AS deal
LEFT JOIN (SELECT connection, deal, min(entered_at) AS since FROM visits GROUP BY connection, deal) AS history
    ON history.connection = deal.connection AND history.deal = deal.deal;
