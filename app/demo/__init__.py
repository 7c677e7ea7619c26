"""The demo workspace: an invented company with 34 agents, two quarters of history and a few live runs."""
