"""A fully compromised model against the whole bot, judged from outside."""
