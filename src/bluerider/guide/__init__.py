"""The field guide: records of models, techniques, words and risks, as claims with sources."""
