-- The views that indicators are written over. Only evaluated deals count, and a deal that is linked between
-- connections is evaluated once, so each row of `deals` is one real deal. Times are in UTC.
--
-- Beneath them lie the tables of schema `state` (places, records, visits, findings, sla_clocks, as stored),
-- `stages` (id, ordinal from 0, status: the process file's stages) and `moment` (as_of: one row, the time of the report).

-- deals: one row per evaluated deal.
--   connection, deal   whose record it is
--   name, amount, currency, close_date, created_at   as the CRM has them; amount NULL when it is not a number
--   owner              the owner's name, else their id in the CRM, else NULL
--   stage, status      its place in the process; status is open, won or lost
--   closed_at          when it was last won or lost; NULL while open or when the history does not say
CREATE VIEW deals AS
SELECT
    place.connection,
    place.deal,
    record.name,
    TRY_CAST(record.amount AS DECIMAL(38, 9)) AS amount,
    record.currency,
    record.close_date,
    record.created_at,
    coalesce(person.name, record.owner) AS owner,
    place.stage,
    place.status,
    ended.closed_at
FROM state.places AS place
LEFT JOIN state.records AS record
    ON record.connection = place.connection AND record.kind = 'deal' AND record.id = place.deal
LEFT JOIN state.records AS person
    ON person.connection = place.connection AND person.kind = 'user' AND person.id = record.owner
LEFT JOIN (
    SELECT connection, deal, to_status AS status, max(left_at) AS closed_at
    FROM state.visits
    WHERE to_status IN ('won', 'lost')
    GROUP BY connection, deal, to_status
) AS ended
    ON ended.connection = place.connection AND ended.deal = place.deal AND ended.status = place.status;

-- visits: one row per stay of a deal in a stage of the process.
--   number             1 for the deal's first visit of that stage
--   is_last            whether it is the deal's last visit of that stage
--   entered_at, left_at   left_at is NULL while the visit lasts
--   went               open; forward (to a later stage, or won); lost; back (to an earlier stage); elsewhere
--   days               how long it lasted, in days of 24 hours; NULL while it lasts
--   age_days           how long it has lasted so far; NULL once it is over
CREATE VIEW visits AS
SELECT
    visit.connection,
    visit.deal,
    visit.stage,
    here.ordinal AS stage_ordinal,
    visit.number,
    visit.number = max(visit.number) OVER (PARTITION BY visit.connection, visit.deal, visit.stage) AS is_last,
    visit.entered_at,
    visit.left_at,
    CASE
        WHEN visit.left_at IS NULL THEN 'open'
        WHEN visit.to_status = 'won' THEN 'forward'
        WHEN visit.to_status = 'lost' THEN 'lost'
        WHEN there.ordinal > here.ordinal THEN 'forward'
        WHEN there.ordinal < here.ordinal THEN 'back'
        ELSE 'elsewhere'
    END AS went,
    -- greatest() passes over NULL, so an open visit would have lasted 0 days.
    CASE WHEN visit.left_at IS NOT NULL
        THEN greatest(epoch_us(visit.left_at) - epoch_us(visit.entered_at), 0) / 86400e6
    END AS days,
    CASE WHEN visit.left_at IS NULL
        THEN greatest(epoch_us(moment.as_of) - epoch_us(visit.entered_at), 0) / 86400e6
    END AS age_days
FROM state.visits AS visit
JOIN state.places AS place ON place.connection = visit.connection AND place.deal = visit.deal
JOIN stages AS here ON here.id = visit.stage
LEFT JOIN stages AS there ON there.id = visit.to_stage
CROSS JOIN moment;

-- clocks: one row per SLA measured on a visit.
--   sla                the rule, such as qualification.sla
--   goal_seconds, elapsed_seconds   business time in the calendar named
--   is_running         whether the visit still lasts
--   state              on_time, at_risk or breached; of a closed clock, how it ended
CREATE VIEW clocks AS
SELECT
    clock.connection,
    clock.deal,
    clock.stage,
    here.ordinal AS stage_ordinal,
    clock.number,
    clock.sla,
    clock.calendar,
    clock.goal_seconds,
    clock.elapsed_seconds,
    clock.due_at,
    clock.state,
    clock.running AS is_running
FROM state.sla_clocks AS clock
JOIN state.places AS place ON place.connection = clock.connection AND place.deal = clock.deal
JOIN stages AS here ON here.id = clock.stage;

-- findings: one row per finding, cleared ones too.
--   owner              the deal's owner, as in deals
--   severity           info, warning or error
--   since              since when it has not held; opened_at and cleared_at are when crmbridge saw that
--   waived_by          who accepted it; NULL: nobody. waived_until is when that ends; NULL: never
CREATE VIEW findings AS
SELECT
    finding.id,
    finding.connection,
    finding.deal,
    deal.owner,
    finding.rule,
    finding.kind,
    finding.stage,
    finding.severity,
    finding.since,
    finding.opened_at,
    finding.cleared_at,
    finding.waived_by,
    finding.waived_until
FROM state.findings AS finding
JOIN deals AS deal ON deal.connection = finding.connection AND deal.deal = finding.deal;
