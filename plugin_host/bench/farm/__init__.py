"""A farm under load on one machine, and farms of any size in simulation.

    python -m plugin_host.bench.farm.stage --minutes 10        needs Ray: engines, musicians, a kill, a drain
    python -m plugin_host.bench.farm.simulate                  needs nothing: service times that were measured

Reading order: stage, musicians, ear, simulate.
"""
