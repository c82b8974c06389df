-- The currencies of amounts that are added up: of deals that are open or won.
SELECT DISTINCT currency FROM worth WHERE priced > 0 AND status <> 'lost' AND currency IS NOT NULL ORDER BY currency;
