"""The functions for Sonic Pi: it has no packages, so they are one file that a buffer runs."""

from __future__ import annotations

from bridge.control.messages import DEFAULT_PORT
from bridge.control.rows import ROOT

SONIC_PI_PORT = 4560  # at which Sonic Pi receives OSC
SONIC_PI = f"""# Segue in Sonic Pi; docs/sonic_pi.md has examples.

# Any request of docs/osc.md without its root and its id.
define :segue_ask do |name, *values|
  osc_send "127.0.0.1", {DEFAULT_PORT}, "{ROOT}/do/#{{name}}", *values
end

# A request of a lane; `segue` is that of lane 0.
define :segue_lane do |lane, name, *values|
  segue_ask "lane/#{{name}}", lane, *values
end

define :segue do |name, *values|
  segue_lane 0, name, *values
end

# From now on Segue's beats come to Sonic Pi, at /osc*{ROOT}/state/beat. The loop says hello again and again, so that
# they come from an engine that was started anew, too.
define :segue_beats do
  live_loop :segue_there do
    segue_ask "hello", {SONIC_PI_PORT}, "sonic-pi"
    segue_ask "subscribe", "beat", 10
    sleep 10
  end
end
"""
