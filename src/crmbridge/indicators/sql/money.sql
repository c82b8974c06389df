-- Money in one currency. `fx` is the table of rates, and `money` one row per evaluated deal with an amount. {rated} joins
-- the rate of a deal's day.

-- fx: one row per rate.
--   currency, date     from which day on it holds; `until` is the day before which the next one takes over, or NULL
--   rate               how much of the report's currency one unit of this one is
CREATE VIEW fx AS
SELECT
    currency,
    date,
    lead(date) OVER (PARTITION BY currency ORDER BY date) AS until,
    rate
FROM rates;

-- money: one row per evaluated deal that has an amount.
--   status             the deal's: open, won or lost
--   value              the amount in the report's currency, a DOUBLE; NULL for an amount without a currency, where others
--                      have one, and for a lost deal's without a rate
--   on_date            the day whose rate counts: of closing for a closed deal, of the report for an open one
--   rate, rate_date    the rate that was taken: the latest on or before that day
CREATE VIEW money AS
WITH dated AS (
    SELECT
        deal.no,
        deal.connection,
        deal.deal,
        deal.status,
        deal.amount,
        deal.currency,
        CASE WHEN deal.status = 'open' THEN as_of::DATE
            ELSE coalesce(deal.closed_at::DATE, deal.close_date, as_of::DATE)
        END AS on_date
    FROM deals AS deal
    CROSS JOIN moment
    WHERE deal.amount IS NOT NULL
)
SELECT
    dated.no,
    dated.connection,
    dated.deal,
    dated.status,
    dated.amount,
    dated.currency,
    dated.on_date,
    rate.date AS rate_date,
    CASE WHEN dated.currency IS NOT DISTINCT FROM target.currency THEN 1 ELSE rate.rate END::DOUBLE AS rate,
    dated.amount::DOUBLE
    * CASE WHEN dated.currency IS NOT DISTINCT FROM target.currency THEN 1 ELSE rate.rate END::DOUBLE AS value
FROM dated
CROSS JOIN target
{rated};
