"""SQL by a person: an extract of the rows they may see, asked in a process that can reach nothing else."""
