"""The table of all methods and runtimes that the README opens with, from finished runs."""
