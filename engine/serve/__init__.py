"""The engine as a process: OSC in, lanes of music out.

Reading order: options, control/server, control/lane_handlers, lane_settings, lane/lane, lane/generate_loop,
lane/controller, lane/host_follower, render/stream_renderer, timeline/placement, render/codec_output; then the change of
models: state, models/loader, models/load, models/memory, models/warm_up, models/change_over, models/handover.
"""
