"""The pages: one module per page, each with ``render()``; components in ``_parts``."""
