"""The door for people: Telegram, the console and the control socket."""
