-- What no figure, or not every one, is counted from: visits of stages that the process does not have, deals without a
-- history, and closed deals of which it is not known when they were closed.
SELECT
    (SELECT count(*) FROM state.visits WHERE stage < 0) AS visits,
    (SELECT count(*) FROM deals WHERE first_at IS NULL) AS deals,
    (SELECT count(*) FROM deals WHERE status <> 'open' AND closed_at IS NULL) AS closed;
