-- stood: the deals that were open at the end of each period of a trend, as their history has it.
--   stage, age_days    where a deal was then, and for how long by then
--   value              what it is worth now: no history says what it was worth then; NULL for a lost one without a rate
CREATE TEMP TABLE stood AS
SELECT
    visit.no,
    visit.stage,
    ended.period,
    days_between(visit.entered_at, ended.until) AS age_days,
    coalesce(money.value, CASE WHEN money.currency IS NULL THEN money.amount::DOUBLE END) AS value
FROM (
    SELECT no, stage, entered_at, coalesce(left_at, 'infinity'::TIMESTAMP) AS left_at
    FROM state.visits
    WHERE stage >= 0 AND sells(stage) AND (left_at IS NULL OR left_at >= (SELECT min(until) FROM period_ends))
) AS visit
JOIN period_ends AS ended ON visit.entered_at < ended.until AND visit.left_at >= ended.until
LEFT JOIN money ON money.no = visit.no;
