"""Runs seen side by side."""
