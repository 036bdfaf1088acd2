"""How fast training is, beside what a person would pick instead: ``python -m benchmarks.training``.

Nothing here belongs to the package; the extra ``bench`` installs what is compared with.
"""
