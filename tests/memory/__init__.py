"""Tests of what is stored and found again."""
