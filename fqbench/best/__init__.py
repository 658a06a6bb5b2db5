"""Which file to ship on this machine: candidates, what is measured of them, and the winner."""
