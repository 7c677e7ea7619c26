"""The agent loop: model turns and tool calls under the control plane."""
