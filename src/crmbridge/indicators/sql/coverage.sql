-- How much there is to count: evaluated deals by status, those with a history, and how far back it goes.
SELECT
    count(*) AS deals,
    count(*) FILTER (WHERE status = 'open') AS open,
    count(*) FILTER (WHERE status = 'won') AS won,
    count(*) FILTER (WHERE status = 'lost') AS lost,
    count(first_at) AS with_history,
    min(first_at) AS since
FROM deals;
