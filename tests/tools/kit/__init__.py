"""Tests of what a tool is."""
