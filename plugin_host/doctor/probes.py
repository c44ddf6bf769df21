"""Programs that `segue doctor` runs in child processes; each prints one line of JSON, and a crash is a finding."""

TORCH_PROBE = """
import json, torch
devices = ["cpu"]
if torch.cuda.is_available():
    for number in range(torch.cuda.device_count()):
        (torch.ones(8, device=f"cuda:{number}") * 2).sum().item()
        devices.append(f"cuda:{number} ({torch.cuda.get_device_name(number)})")
if torch.backends.mps.is_available():
    (torch.ones(8, device="mps") * 2).sum().item()
    devices.append("mps")
print(json.dumps({"version": torch.__version__, "devices": devices}))
"""

# A model of one Identity node, written by hand so that the onnx package is not needed: ModelProto
# {ir_version 8, graph {node {x -> y, Identity}, name g, input x float[1], output y float[1]}, opset 17}.
ONNX_PROBE = """
import json, numpy, onnxruntime
def field(number, data):
    data = data.encode() if isinstance(data, str) else data
    return bytes([number << 3 | 2, len(data)]) + data
def whole(number, value):
    return bytes([number << 3, value])
tensor = field(1, whole(1, 1) + field(2, field(1, whole(1, 1))))
node = field(1, "x") + field(2, "y") + field(4, "Identity")
graph = field(1, node) + field(2, "g") + field(11, field(1, "x") + field(2, tensor))
graph += field(12, field(1, "y") + field(2, tensor))
model = whole(1, 8) + field(7, graph) + field(8, whole(2, 17))
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
found = {}
for name in onnxruntime.get_available_providers():
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[name])
        used = session.get_providers()
        x = numpy.ones(1, numpy.float32)
        assert session.run(None, {"x": x})[0][0] == 1.0
        found[name] = "" if name in used else "falls back to " + ", ".join(used)
    except Exception as error:
        found[name] = str(error).splitlines()[0][:160]
print(json.dumps({"version": onnxruntime.__version__, "providers": found}))
"""

STEPS_PROBE = """
import json
from engine.errors import UnsupportedError
from engine.lm.executors import select
why = "it is not as exact as it should be"
try:
    native = select.trusted(8)
    select.library.load()
except UnsupportedError as error:
    native, why = False, str(error)
print(json.dumps({"native": native, "why": why}))
"""

MIDI_PROBE = """
import json, mido
found = {}
for name in ("rtmidi", "portmidi", "pygame"):
    try:
        found[name] = mido.Backend("mido.backends." + name, load=True).get_output_names()
    except BaseException as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:160]
        found[name] = "not installed" if isinstance(error, ImportError) else said
print(json.dumps({"backends": found}))
"""

SYNC_PROBE = """
import importlib.util, json
found = {}
def midi():
    import mido
    from plugin_host.sync import midi_ports
    return "in: " + (", ".join(midi_ports.backend().get_input_names()) or "none; virtual:NAME makes one")
def jack_transport():
    import jack
    jack.set_error_function(lambda text: None)
    jack.set_info_function(lambda text: None)
    try:
        client = jack.Client("segue-doctor", no_start_server=True)
    except jack.JackOpenError:
        raise OSError("no JACK server runs") from None
    tempo = client.transport_query()[1].get("beats_per_minute")
    client.close()
    return f"a timebase master gives {tempo:g} bpm" if tempo else "a server runs, no program gives it a tempo"
def link():
    if importlib.util.find_spec("link") is None:
        raise ImportError("not installed")
    return "installed; joins the network only with --sync link"
for name, ask in (("midi", midi), ("jack", jack_transport), ("link", link)):
    try:
        found[name] = ["works", ask()]
    except ImportError:
        found[name] = ["missing", "not installed"]
    except BaseException as error:
        found[name] = ["broken", (str(error).splitlines() or [type(error).__name__])[0][:160]]
print(json.dumps(found))
"""
