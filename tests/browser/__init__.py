"""A package, so that its browser closes behind its last test."""
