"""The seed studies, one module each: which columns, which statistics, which tables and figures, in which order."""
