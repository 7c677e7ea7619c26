"""The EU AI Act binder: what each requirement asks, which evidence answers it, and what is missing."""
