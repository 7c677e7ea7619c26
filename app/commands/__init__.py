"""One module per family of commands; each has ``register(app)`` and imports what is heavy inside it."""
