-- What deals are grouped by, by number.
SELECT seg, segment FROM segments;
