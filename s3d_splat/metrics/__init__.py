"""Numbers that can be trusted: every metric is a small accumulator (update, merge, compute, reset) on pure functions.

Conventions of the whole room: a result is an unrounded float, and None where there is nothing to measure; instance id 0 and
class id 0 mean "none"; labels are integer numpy arrays.
"""
