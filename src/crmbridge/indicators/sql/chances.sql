-- chances: one row per deal whose CRM gives it a probability of its own, in a field that is mapped as `probability`.
--   probability        from 0 to 1. CRMs keep it as a share or as a percentage; a connection in which any deal has more
--                      than 1 keeps percentages
CREATE VIEW chances AS
SELECT no, connection, deal, probability / CASE WHEN most > 1 THEN 100 ELSE 1 END AS probability
FROM (
    SELECT no, connection, deal, probability, max(probability) OVER (PARTITION BY connection) AS most
    FROM deals
    WHERE isfinite(probability)  -- a text that says `nan` or `inf` is no number
)
WHERE probability BETWEEN 0 AND CASE WHEN most > 1 THEN 100 ELSE 1 END;
