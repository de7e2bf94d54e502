"""The bad-input matrix: what comes in wrong, and what is expected of us."""

import pytest

MODULES = ("config", "engine", "hostile", "storage", "telegram", "text", "when", "wire")
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in MODULES))
