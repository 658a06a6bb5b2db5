"""Instruction sets hidden from a process, so that one machine stands for lesser ones."""
