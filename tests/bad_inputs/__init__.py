"""The bad-input matrix: what comes in wrong, and what is expected of us."""
