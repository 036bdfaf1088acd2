"""The compiled engine: a whole epoch in one call, with the numbers of the reference engine.

- :mod:`.engine`: what the rest of clearprop sees.
- :mod:`.plan`: the memory of a run, and the records that the compiled code reads.
- :mod:`.layout`: where parameters lie while a network is trained.
- :mod:`.loop`: the training loop itself. :mod:`.kernels`: matrix products in vector registers.
- :mod:`.tracing`: runs a formula once and records what it does. :mod:`.emit`: turns that record
  into the source of one loop. :mod:`.cache`: compiles it, and keeps it on disk.
- :mod:`.vectors` and :mod:`.elementary`: vectors as values in Numba code, and exp, log, … of them.
- :mod:`.machine`: what the processor offers.
"""

from clearprop.engines.compiled.engine import CompiledEngine

__all__ = ["CompiledEngine"]
