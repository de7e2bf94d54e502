"""The gate: the one place every call passes."""
