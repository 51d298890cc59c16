"""What a task's column holds and what is known of it, one file per kind."""
