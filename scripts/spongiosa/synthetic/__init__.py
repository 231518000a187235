"""The synthetic patient: a test instrument whose truth is known exactly; shares no code with what it tests."""
