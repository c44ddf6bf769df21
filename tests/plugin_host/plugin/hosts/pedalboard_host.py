"""pedalboard loads the VST3: pedalboard_host.py BUNDLE OUT.npy RATE CHANNELS. It reports no time to a plugin."""

import json
import random
import sys
import time

import numpy as np
import pedalboard

bundle, out_path, rate, channels = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
plugin = pedalboard.load_plugin(bundle)
plugin.time = "Own"
plugin.own_tempo = 120.0
plugin.output = "Segue"
silence = np.zeros((channels, 8192), np.float32)
plugin.process(silence[:, :64], rate, 8192, False)
sys.stdin.readline()  # the engine knows the plugin
plugin.process(silence[:, :64], rate, 8192, False)
plugin.generate = True
rng, parts, samples = random.Random(3), [], 0
began = time.monotonic()
while samples < 4.5 * rate:
    size = rng.choice((1, 17, 64, 480, 1000, 4096, 8192))
    parts.append(plugin.process(silence[:, :size], rate, 8192, False))
    samples += size
    time.sleep(max(0.0, began + samples / rate - time.monotonic()))
np.save(out_path, np.concatenate(parts, axis=1))
print(json.dumps({"parameters": len(plugin.parameters)}))
