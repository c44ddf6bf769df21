"""dawdreamer loads the VST3 and reports time to it: dawdreamer_host.py BUNDLE OUT.npy BPM."""

import json
import sys

import dawdreamer
import numpy as np

bundle, out_path, bpm = sys.argv[1], sys.argv[2], float(sys.argv[3])
rate = 48_000
engine = dawdreamer.RenderEngine(rate, 512)
engine.set_bpm(bpm)
source = np.random.default_rng(1).uniform(-0.25, 0.25, (2, 12 * rate)).astype(np.float32)
playback = engine.make_playback_processor("in", source)
plugin = engine.make_plugin_processor("segue", bundle)
names = [row["name"] for row in plugin.get_parameters_description()]


def number(name):
    return next(i for i, known in enumerate(names) if known == name)


plugin.set_parameter(number("Output"), 0.5)  # Segue alone
engine.load_graph([(playback, []), (plugin, ["in"])])
engine.render(0.1)
sys.stdin.readline()  # the engine knows the plugin
plugin.set_parameter(number("Generate"), 1.0)
plugin.set_parameter(number("Capture"), 1.0)
plugin.set_parameter(number("Capture bars"), 2 / 32)
engine.render(9.0)  # as fast as possible: a bounce
np.save(out_path, engine.get_audio())
print(json.dumps({"names": names, "source": source[0, :8].tolist()}))
sys.stdout.flush()
sys.stdin.readline()  # the capture was sent
