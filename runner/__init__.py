"""Runs agents and governs them: registry, access, wallets, approvals, the agent loop."""
