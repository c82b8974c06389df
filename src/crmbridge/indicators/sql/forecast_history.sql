-- What the chances of open deals are estimated from: `history`, one row per visit of a stage where deals are sold.
--   days               how long the visit lasted, or has lasted
--   days_left          from entering the stage until the deal was first won or lost after that, or until the report
--   ending             of the deal: 1 won, 2 lost, 0 still open at the time of the report
--   crew               0 to 19, the same for all visits of a deal: the jackknife leaves out one crew at a time
-- A deal that is closed now although its history does not say when is not counted: it has no time to learn from.
-- `standing` is one row per open deal: its stage, how long it has been there, its amount and the CRM's own chance.
CREATE OR REPLACE TEMP TABLE history AS
WITH ends AS (
    SELECT connection, deal, left_at AS ended_at, max(to_status) AS status
    FROM state.visits
    WHERE to_status IN ('won', 'lost') AND left_at IS NOT NULL
    GROUP BY ALL
),
closings AS (
    SELECT
        *,
        coalesce(
            lag(ended_at) OVER (PARTITION BY connection, deal ORDER BY ended_at), '-infinity'::TIMESTAMP
        ) AS ended_before
    FROM ends
)
SELECT
    visit.stage,
    greatest(epoch_us(coalesce(visit.left_at, as_of)) - epoch_us(visit.entered_at), 0) / 86400e6 AS days,
    greatest(epoch_us(coalesce(closing.ended_at, as_of)) - epoch_us(visit.entered_at), 0) / 86400e6 AS days_left,
    CASE closing.status WHEN 'won' THEN 1 WHEN 'lost' THEN 2 ELSE 0 END AS ending,
    (hash(visit.connection, visit.deal) % 20)::INTEGER AS crew
FROM state.visits AS visit
JOIN stages AS here ON here.id = visit.stage AND here.status = 'open'
JOIN state.places AS place ON place.connection = visit.connection AND place.deal = visit.deal
LEFT JOIN closings AS closing
    ON closing.connection = visit.connection AND closing.deal = visit.deal
    AND CASE
        WHEN visit.to_status IN ('won', 'lost') THEN closing.ended_at = visit.left_at
        ELSE visit.entered_at >= closing.ended_before AND visit.entered_at < closing.ended_at
    END
CROSS JOIN moment
WHERE visit.entered_at <= as_of AND (closing.status IS NOT NULL OR place.status = 'open');

CREATE OR REPLACE TEMP TABLE standing AS
SELECT
    deal.connection,
    deal.deal,
    deal.stage,
    greatest(epoch_us(as_of) - epoch_us(visit.entered_at), 0) / 86400e6 AS days,
    money.value AS amount,
    chance.probability
FROM deals AS deal
JOIN stages AS here ON here.id = deal.stage AND here.status = 'open'
JOIN state.visits AS visit
    ON visit.connection = deal.connection AND visit.deal = deal.deal AND visit.stage = deal.stage
    AND visit.left_at IS NULL
LEFT JOIN money ON money.connection = deal.connection AND money.deal = deal.deal
LEFT JOIN chances AS chance ON chance.connection = deal.connection AND chance.deal = deal.deal
CROSS JOIN moment
WHERE deal.status = 'open';
