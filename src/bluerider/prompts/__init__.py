"""How words are written: weights in brackets, alternatives in braces, wildcards from files."""
