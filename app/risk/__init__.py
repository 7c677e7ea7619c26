"""Checks between months: what agents do that a person should look at before the month is over."""
