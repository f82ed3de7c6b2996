"""Measurements: figures live here, never in tests."""
