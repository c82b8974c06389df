"""Reports: figures to HTML, Markdown and JSON, and the sinks they go to."""
