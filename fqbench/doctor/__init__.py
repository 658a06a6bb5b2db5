"""What this machine can run, how its CPU multiplies, and whether it is quiet enough to time on."""
