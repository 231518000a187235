"""The configuration as pydantic models, one module per section of config.yaml."""
