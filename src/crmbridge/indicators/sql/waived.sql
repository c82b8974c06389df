-- Waived findings: how many there are, how many waivers end within a week, and when the first one ends.
SELECT
    count(*) AS findings,
    count(*) FILTER (WHERE waived_until <= as_of + INTERVAL 7 DAY) AS ending,
    min(waived_until) AS next_end
FROM findings, moment
WHERE cleared_at IS NULL AND waived_by IS NOT NULL;
