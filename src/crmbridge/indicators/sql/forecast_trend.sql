-- `history` as it was known at the time that stands in `known`: what came later had not happened yet. `stood` must be there.
CREATE OR REPLACE TEMP TABLE past_kept AS SELECT * FROM past;

CREATE OR REPLACE TEMP TABLE known AS SELECT max(until) AS until FROM period_ends;

CREATE OR REPLACE TEMP VIEW history AS
SELECT
    stage,
    days_between(entered_at, least(left_at, until)) AS days,
    days_between(entered_at, least(ended_at, until)) AS days_left,
    CASE WHEN ended_at < until THEN ending ELSE 0 END AS ending,
    0 AS crew  -- points of a trend have no interval, so nothing is left out
FROM past_kept
CROSS JOIN known
WHERE entered_at < until;
