-- What no figure, or not every one, is counted from, by the words that say it: visits of stages that the process does not
-- have, deals without a history, closed deals of which it is not known when they were closed, open deals that stand
-- where the process has no stage, and closed ones that never were in a stage where deals are sold.
SELECT
    (SELECT count(*) FROM state.visits WHERE stage < 0) AS unknown_stages,
    (SELECT count(*) FROM deals WHERE first_at IS NULL) AS no_history,
    (SELECT count(*) FROM deals WHERE status <> 'open' AND closed_at IS NULL) AS no_close_date,
    (SELECT count(*) FROM deals WHERE status = 'open' AND stage IS NULL) AS no_stage,
    (SELECT count(*) FROM deals WHERE status <> 'open' AND first_at IS NULL) AS never_sold;
