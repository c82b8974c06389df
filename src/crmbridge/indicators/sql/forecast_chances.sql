-- What became, within the horizon, of the visits that had lasted at least as long as each landmark: per stage, landmark
-- and crew, the days after it, and of each how many were won and lost, and how many were followed no longer. Day 0 holds
-- those that were followed beyond the horizon. $horizon is in days.
WITH alike AS (
    -- Landmarks are whole days, so visits can be told by whole days, too: few rows instead of many.
    SELECT
        stage,
        floor(days)::INTEGER AS days,
        ceil(days_left)::INTEGER AS days_left,
        ending,
        crew,
        count(*) AS n
    FROM history
    GROUP BY ALL
),
followed AS (
    SELECT landmark.id, alike.crew, alike.ending, alike.days_left - landmark.days AS day, alike.n
    FROM alike
    JOIN landmarks AS landmark ON landmark.stage = alike.stage AND alike.days >= landmark.days
    UNION ALL
    SELECT landmark.id, alike.crew, alike.ending, alike.days_left, alike.n
    FROM alike
    JOIN landmarks AS landmark ON landmark.stage IS NULL
)
SELECT id, crew, list(day), list(won), list(lost), list(leaving)
FROM (
    SELECT
        id,
        crew,
        -- A deal that ends on the landmark's own day ended after it.
        CASE WHEN day <= $horizon THEN greatest(day, 1) ELSE 0 END AS day,
        coalesce(sum(n) FILTER (WHERE ending = 1), 0)::BIGINT AS won,
        coalesce(sum(n) FILTER (WHERE ending = 2), 0)::BIGINT AS lost,
        sum(n)::BIGINT AS leaving
    FROM followed
    GROUP BY ALL
)
GROUP BY id, crew
ORDER BY id, crew;
