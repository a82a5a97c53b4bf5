"""The shared vocabulary: facts in the past tense, requests in the imperative, readings as frames. No I/O.

Everything that crosses a process boundary is defined here; the other packages meet only in these types.
"""
