-- What became, within the horizon, of the visits that had lasted at least as long as each landmark: per stage, landmark
-- and crew, how many were won and lost on each day after it, and how many were only not over yet. The row of day 0 holds
-- how many there were. A deal that ends on the landmark's own day ended after it. $horizon is in days.
WITH after AS (
    SELECT
        landmark.id,
        visit.crew,
        visit.ending,
        greatest(ceil(visit.days_left - landmark.days), 1) AS day
    FROM history AS visit
    JOIN landmarks AS landmark ON visit.days >= landmark.days AND (visit.stage = landmark.stage OR landmark.stage IS NULL)
)
SELECT
    id,
    crew,
    CASE WHEN day > $horizon THEN NULL ELSE day::INTEGER END AS day,
    count(*) FILTER (WHERE ending = 1) AS won,
    count(*) FILTER (WHERE ending = 2) AS lost,
    count(*) AS leaving
FROM after
GROUP BY ALL;
