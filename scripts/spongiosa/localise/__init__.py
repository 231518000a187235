"""Find, segment and number the vertebrae of a scan."""
