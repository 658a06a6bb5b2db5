"""A spec proposed for a model that has none: what the file shows, what trying it shows.

1. Every proposal says how sure it is and why, in words that its user can check.
2. ``sure`` is only what the file states, or what labelled images show beyond chance; a score never
   makes numbers sure (mean, deviation, resizing): better ones may not have been tried.
3. What nothing tells is named, never filled in silence; an output that no task recognizes is
   refused.
4. The model's file is untrusted: it is read and run in a child process, and its words are text.
"""
