-- What the measures are counted from, in tables so small that each measure costs next to nothing. Months are counted
-- from January 1970; `seg` is the segment's number, NULL when deals are not grouped.

-- flow: visits by where they went. month is when they were left; NULL while they last.
CREATE TABLE flow AS
SELECT
    visit.stage,
    grouped.seg,
    month_of(visit.left_at) AS month,
    visit.to_stage,
    visit.to_status,
    visit.number > 1 AS is_repeat,
    coalesce(visit.number = repeated.number, TRUE) AS is_last,
    count(*) AS n
FROM state.visits AS visit
LEFT JOIN grouped ON grouped.no = visit.no
LEFT JOIN repeats AS repeated ON repeated.no = visit.no AND repeated.stage = visit.stage
WHERE visit.stage >= 0
GROUP BY ALL;

-- paths: deals with a history, by what they went through. month is when they began.
CREATE TABLE paths AS
SELECT
    grouped.seg,
    month_of(journey.first_at) AS month,
    journey.visited,
    journey.direct,
    journey.highest,
    journey.is_reworked,
    journey.is_skipped,
    deal.status,
    count(*) AS n
FROM journeys AS journey
JOIN deals AS deal ON deal.no = journey.no
LEFT JOIN grouped ON grouped.no = journey.no
GROUP BY ALL;

-- worth: deals by place, with what they are worth. month is when they were closed; NULL while open or not known.
CREATE TABLE worth AS
SELECT
    deal.stage_ordinal AS stage,
    grouped.seg,
    month_of(deal.closed_at) AS month,
    deal.status,
    -- Money of several currencies that nobody says the rates of stays in its own, and is not added up.
    CASE WHEN money.value IS NULL THEN deal.currency ELSE target.currency END AS currency,
    count(*) AS n,
    count(deal.amount) AS priced,
    sum(coalesce(money.value, deal.amount::DOUBLE)) AS amount,
    count(deal.closed_at - deal.first_at) AS timed,
    sum(days_between(deal.first_at, deal.closed_at)) AS days
FROM deals AS deal
LEFT JOIN grouped ON grouped.no = deal.no
LEFT JOIN money ON money.no = deal.no
CROSS JOIN target
GROUP BY ALL;

-- ended: deals that were closed at the end of the period of a trend in which they were won or lost. A deal that came back
-- within the period was not; one that came back later was. How a deal was brought in is no end.
CREATE TABLE ended AS
WITH ends AS (
    -- Visits are in the order of time: the number of the last one with its end behind it is the greatest.
    SELECT no, period, max(closed_at) AS closed_at, max(ending) >> 2 AS ordinal, (max(ending) & 3)::UTINYINT AS to_status
    FROM (
        SELECT no, trend_of(left_at) AS period, left_at AS closed_at, ordinal::INTEGER * 4 + to_status AS ending
        FROM state.visits
        WHERE stage >= 0 AND (to_status = 2 OR (to_status = 1 AND sells(stage)))
        UNION ALL  -- from lost, or from where the process has no stage, straight to won
        SELECT no, trend_of(entered_at), entered_at, ordinal::INTEGER * 4 + 1
        FROM state.visits
        WHERE stage >= 0 AND NOT sells(stage)
    )
    GROUP BY no, period
),
comings AS (  -- of deals that came back only, which are few
    SELECT visit.no, trend_of(visit.entered_at) AS period, max(visit.ordinal) AS last
    FROM state.visits AS visit
    JOIN (SELECT no, min(ordinal) AS first FROM ends GROUP BY no) AS closed
        ON closed.no = visit.no AND visit.ordinal > closed.first
    WHERE visit.stage >= 0 AND sells(visit.stage)
    GROUP BY ALL
)
SELECT ends.no, ends.period, ends.closed_at, ends.to_status
FROM ends
JOIN journeys AS journey ON journey.no = ends.no AND ends.closed_at >= journey.first_at
LEFT JOIN comings ON comings.no = ends.no AND comings.period = ends.period
WHERE comings.last IS NULL OR comings.last <= ends.ordinal;

-- closings: those, by the stages that they have been in.
CREATE TABLE closings AS
SELECT ended.period, ended.to_status, journey.visited, count(*) AS n
FROM ended
JOIN journeys AS journey ON journey.no = ended.no
GROUP BY ALL;
