"""Facebook Pages. So far only what it takes of files."""
