"""One step of all lanes at once, with constant shapes in fixed memory, so that a GPU can replay it as a graph.

    lane A   rows 0 1     cache rows, tokens so far, position + frame features, guidance and sampling parameters
    lane B   rows 2 3 4        "
             |
    one step: columns -> layers -> logits -> guidance -> draw -> next columns        all on the device

A `BatchSlot` gives a window rows of the `Buffers`; `take_step` reads and writes nothing else; a runner calls it (CPU)
or replays a CUDA graph of it, one for each (rows, cache bucket). `DeviceExecutor` joins them; benchmarks call
`time_steps`. See docs/gpu.md.
"""

from engine.lm.executors.device.batch_slot import BatchSlot
from engine.lm.executors.device.executor import DeviceExecutor
from engine.lm.executors.device.probe import TimedStep, time_steps
from engine.lm.executors.device.runner import GraphRunner, PlainRunner

__all__ = ["BatchSlot", "DeviceExecutor", "GraphRunner", "PlainRunner", "TimedStep", "time_steps"]
