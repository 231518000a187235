"""The cohort: which scans there are, what is known of their patients, and how stages run over them."""
