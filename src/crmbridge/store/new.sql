CREATE TABLE records (
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    "key" TEXT,
    version TEXT,
    created_at TEXT,
    updated_at TEXT,
    pipeline TEXT,
    stage TEXT,
    status TEXT,
    url TEXT,
    name TEXT,
    amount TEXT,
    currency TEXT,
    owner TEXT,
    close_date TEXT,
    fields TEXT NOT NULL,
    problems TEXT NOT NULL,
    gone_at TEXT,
    merged_into TEXT,
    updated_by TEXT,
    mark BIGINT DEFAULT '0' NOT NULL,
    PRIMARY KEY (connection, kind, id)
);

CREATE INDEX records_by_mark ON records (mark);

CREATE TABLE marks (
    one INTEGER NOT NULL,
    mark BIGINT NOT NULL,
    PRIMARY KEY (one)
);

CREATE TABLE readers (
    reader TEXT NOT NULL,
    mark BIGINT NOT NULL,
    PRIMARY KEY (reader)
);

CREATE TABLE left_over (
    reader TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (reader, connection, kind, id)
);

CREATE TABLE moves (
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    at TEXT NOT NULL,
    from_pipeline TEXT,
    from_stage TEXT,
    from_status TEXT,
    to_pipeline TEXT NOT NULL,
    to_stage TEXT NOT NULL,
    to_status TEXT NOT NULL,
    "by" TEXT,
    PRIMARY KEY (connection, deal, id)
);

CREATE TABLE edits (
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    mark BIGINT NOT NULL,
    since TEXT NOT NULL,
    at TEXT NOT NULL,
    "before" TEXT NOT NULL,
    "after" TEXT NOT NULL,
    PRIMARY KEY (connection, deal, mark)
);

CREATE TABLE courses (
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    field TEXT NOT NULL,
    until TEXT NOT NULL,
    asked TEXT,
    held TEXT NOT NULL,
    why TEXT NOT NULL,
    reading TEXT NOT NULL,
    PRIMARY KEY (connection, deal, field)
);

CREATE TABLE cursors (
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    cursor TEXT NOT NULL,
    saved_at TEXT NOT NULL,
    PRIMARY KEY (connection, kind)
);

CREATE TABLE links (
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    link TEXT NOT NULL,
    PRIMARY KEY (connection, kind, id)
);

CREATE INDEX links_by_link ON links (link);

CREATE TABLE bases (
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY (connection, kind, id)
);

CREATE TABLE waiting (
    link TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    cause TEXT NOT NULL,
    item TEXT NOT NULL,
    since TEXT NOT NULL,
    PRIMARY KEY (link, connection, kind, id, name, cause)
);

CREATE TABLE matches (
    digest TEXT NOT NULL,
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    rule TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (digest, connection, kind, id)
)
 WITHOUT ROWID;

CREATE INDEX matches_by_ref ON matches (connection, kind, id);

CREATE TABLE findings (
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    stage TEXT,
    severity TEXT NOT NULL,
    message TEXT NOT NULL,
    since TEXT NOT NULL,
    seen TEXT NOT NULL,
    visit INTEGER,
    path TEXT,
    opened_at TEXT NOT NULL,
    cleared_at TEXT,
    waived_by TEXT,
    waived_why TEXT,
    waived_until TEXT,
    asks_since TEXT,
    openings INTEGER DEFAULT '1' NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX findings_by_deal ON findings (connection, deal);

CREATE INDEX findings_by_age ON findings (cleared_at, opened_at);

CREATE TABLE finding_events (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    finding TEXT NOT NULL,
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    rule TEXT NOT NULL,
    visit INTEGER,
    turn TEXT NOT NULL,
    at TEXT NOT NULL,
    said TEXT NOT NULL
);

CREATE INDEX finding_events_by_deal ON finding_events (connection, deal, rule, seq);

CREATE TABLE waivers (
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    rule TEXT NOT NULL,
    "by" TEXT NOT NULL,
    why TEXT NOT NULL,
    until TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (connection, deal, rule)
);

CREATE TABLE past_waivers (
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    rule TEXT NOT NULL,
    "by" TEXT NOT NULL,
    why TEXT NOT NULL,
    until TEXT NOT NULL,
    at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    PRIMARY KEY (connection, deal, rule, at)
);

CREATE TABLE places (
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    stage TEXT,
    status TEXT NOT NULL,
    evaluated_at TEXT NOT NULL,
    until TEXT,
    PRIMARY KEY (connection, deal)
);

CREATE INDEX places_by_until ON places (until);

CREATE TABLE visits (
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    stage TEXT NOT NULL,
    number INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    entered_at TEXT NOT NULL,
    left_at TEXT,
    to_stage TEXT,
    to_status TEXT,
    PRIMARY KEY (connection, deal, stage, number)
);

CREATE TABLE journal (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    at TEXT NOT NULL,
    change_id TEXT NOT NULL,
    phase TEXT NOT NULL,
    change TEXT NOT NULL,
    outcome TEXT,
    ref TEXT,
    message TEXT NOT NULL
);

CREATE INDEX journal_by_run ON journal (run, seq);

CREATE INDEX journal_by_change ON journal (change_id, seq);

CREATE TABLE open_changes (
    change_id TEXT NOT NULL,
    PRIMARY KEY (change_id)
);

CREATE TABLE journal_refs (
    ref TEXT NOT NULL,
    change_id TEXT NOT NULL,
    PRIMARY KEY (ref, change_id)
);

CREATE TABLE runs (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    command TEXT NOT NULL,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    exit_code INTEGER,
    summary TEXT NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id)
);

CREATE INDEX runs_by_start ON runs (started_at, seq);

CREATE TABLE lease (
    one INTEGER NOT NULL,
    token TEXT NOT NULL,
    holder TEXT NOT NULL,
    since TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (one),
    CONSTRAINT lease_is_one CHECK (one = 1)
);

CREATE TABLE hints (
    connection TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    noted_at TEXT NOT NULL,
    PRIMARY KEY (connection, kind, id)
);

CREATE TABLE deliveries (
    delivery TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    PRIMARY KEY (delivery)
);

CREATE INDEX deliveries_by_age ON deliveries (seen_at);

CREATE TABLE memory (
    connection TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    saved_at TEXT NOT NULL,
    PRIMARY KEY (connection, name)
);

CREATE TABLE sla_clocks (
    connection TEXT NOT NULL,
    deal TEXT NOT NULL,
    stage TEXT NOT NULL,
    number INTEGER NOT NULL,
    sla TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    calendar TEXT NOT NULL,
    goal TEXT NOT NULL,
    goal_seconds DOUBLE NOT NULL,
    elapsed_seconds DOUBLE NOT NULL,
    due_at TEXT,
    state TEXT NOT NULL,
    running INTEGER NOT NULL,
    pauses TEXT NOT NULL,
    judged_by TEXT NOT NULL,
    PRIMARY KEY (connection, deal, stage, number, sla, started_at),
    CONSTRAINT sla_clocks_visit FOREIGN KEY(connection, deal, stage, number) REFERENCES visits (connection, deal, stage, number) ON DELETE CASCADE
);

CREATE TRIGGER journal_keeps_rows BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TRIGGER journal_keeps_values BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO marks (one, mark) VALUES (1, 0);

INSERT INTO alembic_version (version_num) VALUES ('0010');
