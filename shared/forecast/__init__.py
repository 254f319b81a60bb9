"""What a campaign will do before it runs: whom it reaches and what it costs, and what goes out on which day beside what else."""
