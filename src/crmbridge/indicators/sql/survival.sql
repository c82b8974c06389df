-- Survival: what is left of each part at each time at which something ends, and the share that ended as it was meant to.
-- Reads `lives` (part, days, ending: 0 not over yet, 1 as meant, 2 otherwise; n of them) and fills `steps`, one row per part and
-- time. What ends comes before what is only not over yet at the same time, as is usual.
--   staying            Kaplan-Meier: the share that is not over afterwards; stays_low and stays_high are its interval
--   reached            Aalen-Johansen: the share that ended as meant by then
--   variance           of `reached`: Collett, Modelling Survival Data in Medical Research, chapter on competing risks
-- Intervals are at 95 % on the scale of log(-log), with Greenwood's variance; 1.959963984540054 is the normal quantile.
CREATE OR REPLACE TEMP TABLE steps AS
WITH times AS (
    SELECT
        part,
        days,
        sum(n) AS leaving,
        coalesce(sum(n) FILTER (WHERE ending <> 0), 0)::DOUBLE AS ended,
        coalesce(sum(n) FILTER (WHERE ending = 1), 0)::DOUBLE AS meant
    FROM lives
    GROUP BY part, days
),
counted AS (
    SELECT *, (sum(leaving) OVER (PARTITION BY part ORDER BY days DESC ROWS UNBOUNDED PRECEDING))::DOUBLE AS at_risk
    FROM times
),
stayed AS (
    SELECT
        part,
        days,
        at_risk,
        ended,
        meant,
        product(1 - ended / at_risk) OVER so_far AS staying,
        coalesce(
            product(1 - ended / at_risk)
                OVER (PARTITION BY part ORDER BY days ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
            1
        ) AS staying_before
    FROM counted
    WHERE ended > 0
    WINDOW so_far AS (PARTITION BY part ORDER BY days ROWS UNBOUNDED PRECEDING)
),
reaching AS (
    SELECT
        *,
        sum(staying_before * meant / at_risk) OVER so_far AS reached,
        -- Once all that is left ends together, nothing comes later that this could be added to.
        CASE WHEN at_risk > ended THEN ended / (at_risk * (at_risk - ended)) ELSE 0 END AS greenwood,
        staying_before * meant / pow(at_risk, 2) AS shared
    FROM stayed
    WINDOW so_far AS (PARTITION BY part ORDER BY days ROWS UNBOUNDED PRECEDING)
),
summed AS (
    SELECT
        part,
        days,
        staying,
        reached,
        CASE WHEN staying > 0 THEN ln(staying) END AS depth,
        1.959963984540054 * sqrt(sum(greenwood) OVER so_far) AS reach,
        greatest(
            0,
            reached * reached * (sum(greenwood) OVER so_far)
            - 2 * reached * (sum(greenwood * reached) OVER so_far)
            + (sum(greenwood * reached * reached) OVER so_far)
            + (sum(pow(staying_before, 2) * meant * (at_risk - meant) / pow(at_risk, 3)) OVER so_far)
            - 2 * reached * (sum(shared) OVER so_far)
            + 2 * (sum(shared * reached) OVER so_far)
        ) AS variance
    FROM (SELECT * REPLACE (CASE WHEN staying > 1e-12 THEN staying ELSE 0 END AS staying) FROM reaching)
    WINDOW so_far AS (PARTITION BY part ORDER BY days ROWS UNBOUNDED PRECEDING)
)
SELECT
    part,
    days,
    staying,
    -- Of nothing left, the formula has no interval: it may be none, or as much as was possible just before.
    CASE WHEN staying > 0 THEN exp(-exp(ln(-depth) - reach / depth)) ELSE 0 END AS stays_low,
    CASE WHEN staying > 0 THEN exp(-exp(ln(-depth) + reach / depth)) END AS stays_high,
    reached,
    variance
FROM summed;
