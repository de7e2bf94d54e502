"""The door for time: schedules become jobs, jobs become messages. Never imports bot."""
