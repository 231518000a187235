"""The report: figures, tables, pages and the pictures for review."""
