"""Tests of the loop and the model."""
