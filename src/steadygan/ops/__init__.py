"""Tensor functions and layers without policy."""
