-- The views that indicators are written over. Only evaluated deals count, and a deal that is linked between
-- connections is evaluated once, so each row of `deals` is one real deal. Times are in UTC.
--
-- Beneath them lie the tables of schema `state`, where stages and connections are numbers (tables.py), and these:
--   stages             id, ordinal from 0, status: the process file's stages
--   connections        id, ordinal
--   moment             as_of: one row, the time of the report
-- and the macros segment_of(owner, connection, field, address), month_of(time), bucket(month), last_stage(), sells(stage),
-- is_aimed_at(stage).

-- repeats: the last visit of each stage that a deal came back to.
CREATE TABLE repeats AS
SELECT no, stage, max(number) AS number
FROM state.visits
WHERE number > 1
GROUP BY no, stage;

-- journeys: one row per deal with a history. One that never was in a stage where it is sold has none: it may have been
-- brought in as won, and nobody knows when it was.
--   first_at           when it first came into a stage where it is sold
--   visited, direct    bits of the stages that it was in; that it left straight for the next one, or as the last one to be won
--   highest            the furthest stage that it was in
--   is_reworked        it went back, came to a stage again, or came back after it was lost; is_skipped: it passed over a stage on its way forward
--   won_at, lost_at    when it was last won or lost; NULL when the history does not say, as what came after its last
--                      stage is not known
CREATE TABLE journeys AS
SELECT
    no,
    first_at,
    visited,
    direct,
    highest,
    flags & 1 = 1 OR coalesce(last_end >> 2 > lost_ordinal, FALSE) AS is_reworked,
    flags & 2 = 2 AS is_skipped,
    -- From lost straight to won there is no way out of a stage to tell of it; greatest() passes over NULL.
    CASE WHEN last_end & 3 = 1 THEN greatest(left_as_won, came_after_sales) END AS won_at,
    CASE WHEN last_end & 3 = 2 THEN left_as_lost END AS lost_at
FROM (
    -- Much of what figures take goes into this one: CASE is faster than FILTER, and one number faster than two yeses.
    SELECT
        no,
        min(CASE WHEN sells(stage) THEN entered_at END) AS first_at,
        bit_or(1::BIGINT << stage) AS visited,
        bit_or(CASE WHEN is_direct(stage, to_stage, to_status) THEN 1::BIGINT << stage ELSE 0 END) AS direct,
        max(stage) AS highest,
        bit_or(
            CASE WHEN number > 1 OR is_back(stage, to_stage, to_status) THEN 1 ELSE 0 END
            + CASE WHEN sells(stage) AND is_skip(stage, to_stage, to_status) THEN 2 ELSE 0 END
        ) AS flags,
        -- The number of the last visit, with how it ended behind it: 1 won, 2 lost, 0 neither.
        max(
            ordinal::INTEGER * 4
            + CASE WHEN to_status = 2 THEN 2 WHEN to_status = 1 OR NOT sells(stage) THEN 1 ELSE 0 END
        ) AS last_end,
        min(CASE WHEN to_status = 2 THEN ordinal END) AS lost_ordinal,
        max(CASE WHEN to_status = 1 AND sells(stage) THEN left_at END) AS left_as_won,
        max(CASE WHEN NOT sells(stage) THEN entered_at END) AS came_after_sales,
        max(CASE WHEN to_status = 2 THEN left_at END) AS left_as_lost
    FROM state.visits
    WHERE stage >= 0
    GROUP BY no
)
WHERE first_at IS NOT NULL;

-- deals: one row per evaluated deal.
--   no                 a number, by which `visits` and the others are joined fastest; it means nothing elsewhere
--   connection, deal   whose record it is
--   name, amount, currency, close_date, created_at   as the CRM has them; amount NULL when it is not a number, the
--                      currency in capital letters
--   owner              the owner's name, else their id in the CRM, else NULL
--   segment            what deals are grouped by in this report, such as the owner's name; NULL when by nothing
--   stage, status      its place in the process; status is open, won or lost
--   stage_ordinal      the stage's place in the process, from 0; NULL for none
--   first_at           when it first came into a stage where it is sold; NULL without a history
--   closed_at          when it was last won or lost; NULL while open or when the history does not say
--   probability        what the CRM gives it, where a field of that name is mapped; as a share or as a percentage
CREATE TABLE deals AS
SELECT
    place.rowid::INTEGER AS no,
    connection.id AS connection,
    place.deal,
    record.name,
    TRY_CAST(record.amount AS DECIMAL(38, 9)) AS amount,
    upper(trim(record.currency)) AS currency,
    record.close_date,
    record.created_at,
    coalesce(person.name, record.owner) AS owner,
    segment_of(
        coalesce(person.name, record.owner),
        connection.id,
        CASE
            WHEN record.field LIKE '{"set":%' THEN array_to_string((record.field::JSON -> '$.set')::VARCHAR[], ', ')
            WHEN record.field LIKE '{"%' THEN record.field::JSON ->> json_keys(record.field::JSON)[1]
            ELSE record.field
        END,
        person.address
    ) AS segment,
    stage.id AS stage,
    stage.ordinal AS stage_ordinal,
    CASE place.status WHEN 0 THEN 'open' WHEN 1 THEN 'won' ELSE 'lost' END AS status,
    TRY_CAST(record.probability AS DOUBLE) AS probability,
    journey.first_at,
    CASE place.status WHEN 1 THEN journey.won_at WHEN 2 THEN journey.lost_at END AS closed_at
FROM state.places AS place
JOIN connections AS connection ON connection.ordinal = place.connection
LEFT JOIN stages AS stage ON stage.ordinal = place.stage
LEFT JOIN state.records AS record ON record.connection = place.connection AND record.id = place.deal
LEFT JOIN state.people AS person ON person.connection = place.connection AND person.id = record.owner
LEFT JOIN journeys AS journey ON journey.no = place.rowid::INTEGER;

DROP TABLE state.records;
DROP TABLE state.people;

-- segments: what deals are grouped by, as numbers; grouped: the one that each deal is in. Both are empty when deals are
-- not grouped. Deals without a value are in segment 0, which has no name.
CREATE TABLE segments AS
SELECT row_number() OVER (ORDER BY segment NULLS FIRST)::INTEGER - 1 AS seg, segment
FROM (SELECT DISTINCT segment FROM deals WHERE is_grouped());

CREATE TABLE grouped AS
SELECT deal.no, segments.seg
FROM deals AS deal
JOIN segments ON segments.segment IS NOT DISTINCT FROM deal.segment;

-- visits: one row per stay of a deal in a stage of the process.
--   number             1 for the deal's first visit of that stage
--   is_last            whether it is the deal's last visit of that stage
--   entered_at, left_at   left_at is NULL while the visit lasts
--   to_stage, to_status   where it went; NULL while the visit lasts, to_stage NULL for where the process has no stage
--   went               open; forward (to a later stage, or won); lost; back (to an earlier stage); elsewhere
--   days               how long it lasted, in days of 24 hours; NULL while it lasts
--   age_days           how long it has lasted so far; NULL once it is over
CREATE VIEW visits AS
SELECT
    visit.no,
    deal.connection,
    deal.deal,
    here.id AS stage,
    visit.stage AS stage_ordinal,
    visit.number,
    coalesce(visit.number = repeated.number, TRUE) AS is_last,
    visit.entered_at,
    visit.left_at,
    there.id AS to_stage,
    CASE visit.to_status WHEN 0 THEN 'open' WHEN 1 THEN 'won' WHEN 2 THEN 'lost' END AS to_status,
    way(visit.stage, visit.to_stage, visit.to_status) AS went,
    CASE WHEN visit.left_at IS NOT NULL THEN days_between(visit.entered_at, visit.left_at) END AS days,
    CASE WHEN visit.left_at IS NULL THEN days_between(visit.entered_at, moment.as_of) END AS age_days
FROM state.visits AS visit
JOIN deals AS deal ON deal.no = visit.no
JOIN stages AS here ON here.ordinal = visit.stage
LEFT JOIN stages AS there ON there.ordinal = visit.to_stage
LEFT JOIN repeats AS repeated ON repeated.no = visit.no AND repeated.stage = visit.stage
CROSS JOIN moment;

-- moves: one row per way out of a stage, from the visits: from_stage, to_stage (NULL for lost or elsewhere), to_status,
-- went and moved_at.
CREATE VIEW moves AS
SELECT no, connection, deal, stage AS from_stage, to_stage, to_status, went, left_at AS moved_at
FROM visits
WHERE left_at IS NOT NULL;

-- clocks: one row per cycle of an SLA on a visit.
--   sla                the rule, such as qualification.sla
--   goal_seconds, elapsed_seconds   business time in the calendar of the SLA
--   is_running, ended_at   whether it still goes on, and when it ended
--   state              on_time, at_risk or breached; of a closed clock, how it ended
CREATE VIEW clocks AS
SELECT
    clock.no,
    deal.connection,
    deal.deal,
    here.id AS stage,
    clock.stage AS stage_ordinal,
    clock.number,
    clock.sla,
    clock.goal_seconds,
    clock.elapsed_seconds,
    clock.ended_at,
    CASE clock.state WHEN 0 THEN 'on_time' WHEN 1 THEN 'at_risk' ELSE 'breached' END AS state,
    clock.is_running
FROM state.clocks AS clock
JOIN deals AS deal ON deal.no = clock.no
JOIN stages AS here ON here.ordinal = clock.stage;

-- findings: one row per finding, cleared ones too.
--   owner              the deal's owner, as in deals
--   severity           info, warning or error
--   since              since when it has not held; opened_at and cleared_at are when crmbridge saw that
--   waived_by          who accepted it; NULL: nobody. waived_until is when that ends; NULL: never
CREATE VIEW findings AS
SELECT
    finding.id,
    finding.no,
    deal.connection,
    deal.deal,
    deal.owner,
    finding.rule,
    finding.kind,
    here.id AS stage,
    finding.severity,
    finding.since,
    finding.opened_at,
    finding.cleared_at,
    finding.waived_by,
    finding.waived_until
FROM state.findings AS finding
JOIN deals AS deal ON deal.no = finding.no
LEFT JOIN stages AS here ON here.ordinal = finding.stage;

-- activities: one row per call, meeting, e-mail or task and deal that it hangs on.
--   type               call, meeting, email or task; the CRM's own word for any other
--   happened_at        when it happened, or when it is due
CREATE VIEW activities AS
SELECT activity.id, deal.no, deal.connection, deal.deal, activity.type, activity.is_done, activity.happened_at
FROM (
    SELECT connection, id, type, is_done, happened_at, unnest(deals::VARCHAR[]) AS deal
    FROM state.activities
) AS activity
JOIN connections AS connection ON connection.ordinal = activity.connection
JOIN deals AS deal ON deal.connection = connection.id AND deal.deal = activity.deal;
