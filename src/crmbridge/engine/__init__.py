"""Pure functions over model values: mapping, matching, merge, visits, rules, calendars, evaluation, plans."""
