-- Sales velocity of each period, as it was known when it ended: the deals that were open then, and of those that were closed
-- in it the win rate, the average of what the won ones are worth now, and their average days from the first stage.
SELECT *, open * (won / nullif(closed, 0)) * amount / nullif(days, 0) AS velocity
FROM (
    SELECT
        'trend' AS part,
        NULL::TINYINT AS stage,
        closed_in.period,
        coalesce(any_value(open_at.open), 0) AS open,
        count(*) FILTER (WHERE closed_in.to_status = 1) AS won,
        count(*) AS closed,
        avg(coalesce(money.value, money.amount::DOUBLE)) FILTER (WHERE closed_in.to_status = 1) AS amount,
        avg(days_between(journey.first_at, closed_in.closed_at)) FILTER (WHERE closed_in.to_status = 1) AS days
    FROM ended AS closed_in
    JOIN journeys AS journey ON journey.no = closed_in.no
    LEFT JOIN money ON money.no = closed_in.no
    LEFT JOIN (SELECT period, count(DISTINCT no) AS open FROM stood GROUP BY period) AS open_at
        ON open_at.period = closed_in.period
    WHERE closed_in.period IN (SELECT period FROM period_ends)
    GROUP BY closed_in.period
);
