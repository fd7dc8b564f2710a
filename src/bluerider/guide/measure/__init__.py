"""What a word does to a model's pictures: with and without it, against words without meaning."""
