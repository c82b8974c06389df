-- state.kept: clocks by how they stand; month is when they ended, NULL while they run. Where no single clock is asked for,
-- they were counted when they were read, and here is nothing to add. business_seconds is what was measured of the finished
-- visits of stages whose business time is aimed at.
CREATE TABLE IF NOT EXISTS state.kept (
    stage TINYINT,
    sla VARCHAR,
    seg INTEGER,
    month INTEGER,
    state UTINYINT,
    is_running BOOLEAN,
    n BIGINT,
    business_seconds DOUBLE[]
);

INSERT INTO state.kept
SELECT
    clock.stage,
    clock.sla,
    grouped.seg,
    month_of(clock.ended_at) AS month,
    clock.state,
    clock.is_running,
    count(*),
    list(clock.elapsed_seconds) FILTER (is_aimed_at(clock.stage) AND NOT clock.is_running)
FROM state.clocks AS clock
LEFT JOIN grouped ON grouped.no = clock.no
GROUP BY ALL;
