"""The record that several machines share: what each one ships to it, and what each one fetches from it."""
