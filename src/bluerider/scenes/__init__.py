"""Small scenes: what stands where, how it is said in sixteen languages, how it is painted."""
