"""The services, one file (or package) each; `kit` says what a tool is, `gate` how a call runs."""
