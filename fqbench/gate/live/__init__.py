"""Two versions of a repository on one machine: checked out, built, timed interleaved."""
