"""Tests that are generated from the tool list: one stage for each tool, and every promise for all of them."""
