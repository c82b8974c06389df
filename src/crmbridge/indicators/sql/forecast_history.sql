-- What the chances of open deals are estimated from: `history`, one row per visit of a stage where deals are sold.
--   days               how long the visit lasted, or has lasted
--   days_left          from entering the stage until the deal was first won or lost after that, or until the report
--   ending             of the deal: 1 won, 2 lost, 0 still open at the time of the report
--   crew               0 to 19, the same for all visits of a deal: the jackknife leaves out one crew at a time
-- A deal that is closed now although its history does not say when is not counted: it has no time to learn from.
-- `standing` is one row per open deal: its stage, how long it has been there, its amount, the CRM's own chance, and its segment.
-- `past` has the same as times, whenever they were: when a visit began and ended, and when the deal did.
CREATE OR REPLACE TEMP VIEW past AS
WITH ends AS (
    -- By the last visit before them, as several moves may be of the same moment. What a won deal goes through after it
    -- was won ends nothing; one that was lost before it was won ended then.
    SELECT no, ordinal, min(ended_at) AS ended_at, max(status) AS status
    FROM (
        SELECT no, ordinal, left_at AS ended_at, to_status AS status
        FROM state.visits
        WHERE left_at IS NOT NULL AND (to_status = 2 OR (to_status = 1 AND CASE WHEN stage < 0 THEN TRUE ELSE sells(stage) END))
        UNION ALL  -- it may have come there from where the process has no stage
        SELECT no, ordinal - 1, entered_at, 1 FROM state.visits WHERE stage >= 0 AND NOT sells(stage)
    )
    GROUP BY no, ordinal
),
closings AS (
    SELECT *, coalesce(lag(ordinal) OVER (PARTITION BY no ORDER BY ordinal), -1) AS ordinal_before
    FROM ends
)
SELECT
    visit.stage,
    visit.entered_at,
    visit.left_at,
    closing.ended_at,
    coalesce(closing.status, 0) AS ending,
    visit.crew
FROM state.visits AS visit
LEFT JOIN closings AS closing
    ON closing.no = visit.no
    AND visit.ordinal > closing.ordinal_before
    AND visit.ordinal <= closing.ordinal
WHERE visit.stage >= 0 AND sells(visit.stage) AND (closing.status IS NOT NULL OR visit.is_open);

CREATE OR REPLACE TEMP VIEW history AS
SELECT
    stage,
    days_between(entered_at, coalesce(left_at, as_of)) AS days,
    days_between(entered_at, coalesce(ended_at, as_of)) AS days_left,
    ending,
    crew
FROM past
CROSS JOIN moment
WHERE entered_at <= as_of;

CREATE OR REPLACE TEMP TABLE standing AS
SELECT
    deal.connection,
    deal.deal,
    deal.stage_ordinal AS stage,
    days_between(visit.entered_at, as_of) AS days,
    money.value AS amount,
    chance.probability,
    grouped.seg
FROM deals AS deal
JOIN state.visits AS visit ON visit.no = deal.no AND visit.stage = deal.stage_ordinal AND visit.left_at IS NULL
LEFT JOIN grouped ON grouped.no = deal.no
LEFT JOIN money ON money.no = deal.no
LEFT JOIN chances AS chance ON chance.no = deal.no
CROSS JOIN moment
WHERE deal.status = 'open' AND sells(deal.stage_ordinal);
