"""The thinking: the loop, the model port, budgets. Never imports telegram."""
