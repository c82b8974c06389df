-- What is said of a way out of a stage, in numbers: to_status is 0 open, 1 won, 2 lost, NULL while the visit lasts, and
-- to_stage is -1 where the process has no stage.
CREATE MACRO is_back(stage, to_stage, to_status) AS to_status = 0 AND to_stage >= 0 AND to_stage < stage;
CREATE MACRO is_forward(stage, to_stage, to_status) AS to_status = 1 OR (to_status = 0 AND to_stage > stage);
CREATE MACRO is_direct(stage, to_stage, to_status) AS
    (to_status = 1 AND stage = last_stage()) OR (to_status = 0 AND to_stage = stage + 1);
CREATE MACRO is_skip(stage, to_stage, to_status) AS
    (to_status = 1 AND stage < last_stage()) OR (to_status = 0 AND to_stage > stage + 1);
CREATE MACRO way(stage, to_stage, to_status) AS CASE
    WHEN to_status IS NULL THEN 'open'
    WHEN to_status = 1 THEN 'forward'
    WHEN to_status = 2 THEN 'lost'
    WHEN to_stage > stage THEN 'forward'
    WHEN to_stage < stage AND to_stage >= 0 THEN 'back'
    ELSE 'elsewhere'
END;
-- A CRM whose clock runs ahead makes no negative time.
CREATE MACRO days_between(since, until) AS greatest(epoch_us(until) - epoch_us(since), 0) / 86400e6;

-- What a row of a measure is, told from which of (stage, seg, period) it was added up over: one to show; a stage's, or
-- all together; and the same by period, for trends.
CREATE MACRO part_of(grouped_by) AS CASE grouped_by
    WHEN 0 THEN 'row' WHEN 3 THEN 'stage' WHEN 7 THEN 'all' WHEN 2 THEN 'stage_trend' WHEN 6 THEN 'trend'
END;
CREATE MACRO minutes_between(since, until) AS greatest(epoch_us(until) - epoch_us(since), 0) // 60000000;

-- The part of a line of spells that says of which segment and period it is, if any: see spells.sql.
CREATE MACRO of_part(seg, period) AS
    ((coalesce(seg, -1) + 1)::BIGINT << 11) + CASE WHEN period IS NULL THEN 0 ELSE (period + 100000)::BIGINT << 35 END;
