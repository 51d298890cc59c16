"""One loaded run, and every answer that it gives."""
