"""Social: write once, out everywhere at its second, exactly once, live before your eyes."""
