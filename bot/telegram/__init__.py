"""Telegram: hearing it, and saying things in it."""
