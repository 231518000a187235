"""Names of vertebral levels and the geometry of a vertebra; imports nothing of ours."""
