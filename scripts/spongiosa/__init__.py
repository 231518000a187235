"""Spongiosa: vertebral bone density from routine CT, from DICOM to the statistical report."""

__version__ = "0.1.0"
