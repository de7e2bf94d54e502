"""Commands and the pages that buttons turn: no model is asked."""
