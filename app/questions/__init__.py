"""The named questions that pages ask the warehouse."""
