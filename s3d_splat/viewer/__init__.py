"""The run in a browser: look, click, search, edit. Data flows one way: events -> state -> picture."""
