"""Results of earlier runs: read, checked to be comparable, compared, frozen as a baseline."""
