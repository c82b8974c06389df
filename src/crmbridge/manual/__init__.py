"""The manual: the process rendered for people, as a site of static pages."""
