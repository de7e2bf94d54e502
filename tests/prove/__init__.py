"""The bot killed at every named moment and spoiled in every listed way, judged from outside."""
