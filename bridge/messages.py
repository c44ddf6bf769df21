"""The table of OSC messages: every address of the project stands here and nowhere else.

Parser, checks, dispatcher, client, `docs/osc.md` and tests read it. Every request carries an id first: a
number that the client counts up; its answer repeats it. Id 0 is answered and never taken for a repeat.
"""

from __future__ import annotations

from bridge.arguments import NOW, WHOLE_MAX, Argument, Kind, Message

PROTOCOL = 1
DEFAULT_PORT = 9600
LANES_MAX = 64
REQUEST_BYTES_MAX = 1400  # what we send; also what any sound program of the field takes
CHUNK_BYTES = 960  # of a region, before base64: the datagram stays under REQUEST_BYTES_MAX
CHUNKS_MAX = 65536
FIGURE_MAX = 2.0**40  # of measured values in answers
ROLES = ("melody", "style", "continue")
ENCODINGS = ("s16", "f32")
DENOMINATORS = ("1", "2", "4", "8", "16", "32", "64")

_ID = Argument("id", "i", "counted up by the client, repeated in the answer; 0: not counted", low=0)
_LANE = Argument("lane", "i", "which stream of music", low=0, high=LANES_MAX - 1)
_AT = Argument("at", "at", "when it takes effect", "beats", default=NOW)
_ROLE = Argument("role", "s", "what the music is for: its melody, its style, or to go on from", choices=ROLES)
_BPM = Argument("bpm", "f", "tempo of the music, quarter notes a minute", "bpm", 20, 999)
_START = Argument("start_beats", "f", "beat of the host's timeline on which the music begins", "beats")
_TEXT = Argument("text", "s", "for people")
_ADDRESS = Argument("address", "s", "address of the request")
_NAME = Argument("name", "s", "name of a lane parameter, see the table of parameters", max_length=32)
_UNDERSTOOD = (
    Argument("seconds", "f", "length of the music", "s", 0),
    Argument("channels", "i", "channels kept", low=0, high=2),
    Argument("rate_hz", "i", "its sample rate", "Hz", 0),
    Argument("bars", "f", "its length at that tempo, in bars of the lane's signature", "bars", 0),
    Argument("note", "s", "what was changed on the way in, or empty"),
)


def _count(name: str, meaning: str, unit: str = "") -> Argument:
    return Argument(name, "i", meaning, unit, 0)


def _figure(name: str, meaning: str, unit: str = "") -> Argument:
    return Argument(name, "f", meaning, unit, -FIGURE_MAX, FIGURE_MAX)


def _text(name: str, meaning: str, limit: int = 1000) -> Argument:
    return Argument(name, "s", meaning, max_length=limit)


def _request(
    address: str,
    *arguments: Argument,
    reply: tuple[Argument, ...] = (),
    meaning: str,
    slow: bool = False,
    quiet: bool = False,
    local: bool = False,
) -> Message:
    return Message(f"/segue/{address}", (_ID, *arguments), reply, meaning, slow, quiet, local)


def _answer(address: str, *arguments: Argument, meaning: str, rest: bool = False) -> Message:
    return Message(f"/segue/{address}", arguments, (), meaning, rest=rest)


def _bounded(
    name: str, kind: Kind, meaning: str, low: float, high: float, unit: str = "", default: float | None = None
) -> Argument:
    return Argument(name, kind, meaning, unit, low, high, default=default)


# fmt: off
# -- the engine ---------------------------------------------------------------------------------------

HELLO = _request(
    "hello",
    _bounded("reply_port", "i", "UDP port for answers and events, from 1024; 0: the port this came from",
             0, 65535, default=0),
    Argument("name", "s", "the client's name, for logs", default="", max_length=64),
    Argument("secret", "s", "the shared secret, where the engine asks for one", default="", max_length=256),
    reply=(
        _count("protocol", "version of this table"),
        _text("engine", "name and version of the engine"),
        _figure("timeout_seconds", "a client that says nothing for so long is forgotten", "s"),
    ),
    meaning="Registers the sender: it gets events, and its answers go to `reply_port` of its own machine. "
    "Say it first, and again when the engine was restarted. Earlier ids are forgotten.",
)
BYE = _request("bye", meaning="Takes the sender off the list of clients; its lanes are closed.")
PING = _request(
    "ping",
    reply=(_figure("uptime_seconds", "since the engine started", "s"),),
    meaning="Answers at once. Any message keeps a client registered; this one does nothing else.",
)
SYNC = _request("sync", meaning="Answers when all earlier requests of this client are answered.", slow=True)
STATUS = _request(
    "status",
    reply=(
        Argument("state", "s", "of the engine", choices=("loading", "ready", "stopping", "failed")),
        _text("model", "name of the model"),
        _text("device", "what it runs on"),
        _count("lanes_open", "lanes that are open"),
        _count("lanes_max", "lanes that there is room for"),
        _text("text", "more about the state, or empty"),
    ),
    meaning="How the engine is.",
)
MODEL = _request(
    "model",
    reply=(
        _text("model", "its name"),
        _count("rate_hz", "its own sample rate", "Hz"),
        _count("channels", "its own channels"),
        _figure("window_seconds", "how much music it sees at once", "s"),
        _text("abilities", "words of: text melody style continue tempo"),
        _text("license", "of its weights"),
    ),
    meaning="What the loaded model is and can do. What it cannot do is refused as `unsupported`.",
)
STATS = _request(
    "stats",
    reply=(
        _figure("uptime_seconds", "since the engine started", "s"),
        _figure("memory_mb", "resident memory", "MB"),
        _figure("step_ms", "one step of the language model, median", "ms"),
        _figure("decode_ms", "codec per frame, median", "ms"),
        _figure("realtime_ratio", "seconds of audio made per second of work, all lanes together"),
        _figure("messages", "datagrams received"),
        _figure("refused", "of these, answered with an error or thrown away"),
    ),
    meaning="What the engine measured.",
)
PRESETS = _request("presets", reply=(_text("names", "separated by spaces"),), meaning="Names of the presets.")
QUIT = _request("quit", meaning="Ends the engine cleanly. Taken only from this machine.", local=True)

# -- lanes --------------------------------------------------------------------------------------------

LANE_OPEN = _request(
    "lane/open",
    _bounded("lane", "i", "which stream of music; -1: the first free one", -1, LANES_MAX - 1),
    _bounded("rate_hz", "i", "sample rate of the host", 8000, 192000, "Hz", 48000),
    _bounded("channels", "i", "channels that the host wants", 1, 2, default=2),
    reply=(
        _count("lane", "the lane that was opened"),
        _text("ring", "name of the shared-memory ring that its audio goes to"),
    ),
    meaning="Opens a lane. Opening it again, by the same client in the same format, gives the same ring.",
    slow=True,
)
LANE_CLOSE = _request("lane/close", _LANE, meaning="Stops a lane at once and frees its ring.")
LANE_SET = _request(
    "lane/set", _LANE, _NAME, Argument("value", "f", "see the table of parameters"), _AT,
    reply=(_NAME, _figure("value", "as it is now; a seed of -1 is answered with the one drawn")),
    meaning="Sets one parameter of a lane.",
)
LANE_GET = _request(
    "lane/get", _LANE, _NAME,
    reply=(_NAME, _figure("value", "as it is now")),
    meaning="Reads one parameter of a lane.",
)
LANE_PROMPT = _request(
    "lane/prompt", _LANE, _text("text", "what the music should be like, in words; empty: no prompt"), _AT,
    meaning="Sets the prompt of a lane.", slow=True,
)
LANE_PRESET = _request(
    "lane/preset", _LANE, _text("preset", "its name", 64), _AT,
    reply=(_text("prompt", "the lane's prompt now"),),
    meaning="Sets all parameters that a preset names, and its prompt if it has one.", slow=True,
)
LANE_PLAY = _request(
    "lane/play", _LANE, _AT,
    _bounded("bars", "i", "how many bars; 0: until stopped; -1: as the parameter `bars` says", -1, 100_000,
             "bars", -1),
    reply=(
        _figure("start_beats", "beat on which the first sample sounds", "beats"),
        _count("generation", "of the plan: audio of an older one is no longer heard"),
        _count("seed", "of the random numbers: the same seed and inputs give the same music"),
    ),
    meaning="Starts the stream. In continue mode the first sample follows the region's last one.", slow=True,
)
LANE_STOP = _request(
    "lane/stop", _LANE, _AT,
    reply=(_figure("stop_beats", "beat on which it ends", "beats"),),
    meaning="Ends the stream of a lane; the lane stays open.",
)
LANE_STATUS = _request(
    "lane/status", _LANE,
    reply=(
        _text("state", "idle, preparing, playing, ended or failed"),
        _figure("written_beats", "beat up to which audio is ready", "beats"),
        _count("generation", "of the plan"),
        _count("seed", "of the random numbers"),
        _text("references", "roles of the regions it has"),
    ),
    meaning="How a lane is.",
)
LANE_STATS = _request(
    "lane/stats", _LANE,
    reply=(
        _figure("fill_seconds", "audio that waits in the ring", "s"),
        _figure("fill_low_seconds", "the least that waited since the stream began", "s"),
        _figure("first_sound_seconds", "from play to the first block in the ring", "s"),
        _figure("realtime_ratio", "seconds of audio made per second of work"),
        _count("late_blocks", "made too late to be heard"),
        _count("rolls", "times that the model's window moved on"),
        _figure("change_seconds", "from the last change of prompt, reference or parameter to its sound", "s"),
    ),
    meaning="What was measured on a lane.",
)
TRANSPORT = _request(
    "transport", _LANE,
    _bounded("playing", "i", "1: the host runs, 0: it stands", 0, 1),
    Argument("position_beats", "f", "where the host is", "beats"),
    _BPM,
    _bounded("numerator", "i", "of the time signature", 1, 64, default=4),
    Argument("denominator", "i", "of the time signature", low=1, choices=DENOMINATORS, default=4),
    meaning="Where the host's timeline is, for hosts that have no shared transport block. Send it at each "
    "change and about four times a second.",
)

# -- regions ------------------------------------------------------------------------------------------

REGION_FILE = _request(
    "region/file", _LANE, _ROLE, _text("path", "of a WAV, FLAC, AIFF, OGG or MP3 file; absolute"),
    _BPM, _START, _AT,
    reply=_UNDERSTOOD,
    meaning="Hands over music by path. Taken only from this machine.", slow=True, local=True,
)
REGION_BEGIN = _request(
    "region/begin", _LANE, _ROLE,
    _bounded("transfer", "i", "number of the transfer, chosen by the client", 1, WHOLE_MAX),
    _bounded("samples", "i", "samples per channel", 1, WHOLE_MAX),
    _bounded("channels", "i", "interleaved", 1, 8),
    _bounded("rate_hz", "i", "sample rate", 1, WHOLE_MAX, "Hz"),
    Argument("encoding", "s", "16-bit or 32-bit float samples, little-endian", choices=ENCODINGS),
    _BPM, _START,
    reply=(
        _count("chunks", "how many are expected, numbered from 0"),
        _count("chunk_bytes", "of audio in each but the last, before base64", "B"),
    ),
    meaning="Begins to hand over music in chunks, for clients on another machine.",
)
REGION_CHUNK = _request(
    "region/chunk",
    _bounded("transfer", "i", "number of the transfer", 1, WHOLE_MAX),
    _bounded("chunk", "i", "its number, from 0", 0, CHUNKS_MAX - 1),
    _text("data", "base64 of its bytes", 4 * CHUNK_BYTES // 3),
    meaning="One chunk. Any order; doubled ones do no harm. Answered only when it does not fit.", quiet=True,
)
REGION_END = _request(
    "region/end",
    _bounded("transfer", "i", "number of the transfer", 1, WHOLE_MAX),
    Argument("crc32", "s", "of all bytes, 8 hexadecimal digits; or empty", default="", max_length=8),
    _AT,
    reply=(
        _count("missing", "chunks that have not come; 0: the music is in place"),
        _text("list", "numbers of the first of them: '3 17 20-25'"),
        *_UNDERSTOOD,
    ),
    meaning="Ends a transfer, or names the chunks to send again; end it again with a new id.", slow=True,
)
REGION_CLEAR = _request("region/clear", _LANE, _ROLE, _AT, meaning="Takes a region off a lane.")

# -- answers and events, engine to client ----------------------------------------------------------------

OK = _answer("ok", _ID, _ADDRESS, meaning="The request is done; the values its row names follow.", rest=True)
ERROR = _answer(
    "error", _ID, _ADDRESS, _text("code", "a word of the table of errors", 32), _TEXT,
    meaning="The request was refused or failed. Id 0 when the message was too broken to have one.",
)
PROGRESS = _answer(
    "progress", _ID, _ADDRESS, _count("done", "so much of"), _count("total", "so much; 0: not known"), _TEXT,
    meaning="A slow request is being worked on.",
)
EVENT_ENGINE = _answer(
    "event/engine", _text("state", "loading, ready, stopping or failed"), _TEXT,
    meaning="The engine's state changed.",
)
EVENT_LANE = _answer(
    "event/lane", _LANE, _text("state", "idle, preparing, playing, ended or failed"),
    _figure("beats", "where on the timeline", "beats"), _TEXT,
    meaning="A lane's state changed.",
)
EVENT_LATE = _answer(
    "event/late", _LANE, _count("blocks", "made too late and not heard, since the last such event"), _TEXT,
    meaning="The engine falls behind; at most once a second.",
)

# fmt: on

REQUESTS: tuple[Message, ...] = (
    HELLO, BYE, PING, SYNC, STATUS, MODEL, STATS, PRESETS, QUIT,
    LANE_OPEN, LANE_CLOSE, LANE_SET, LANE_GET, LANE_PROMPT, LANE_PRESET, LANE_PLAY, LANE_STOP, LANE_STATUS,
    LANE_STATS, TRANSPORT, REGION_FILE, REGION_BEGIN, REGION_CHUNK, REGION_END, REGION_CLEAR,
)  # fmt: skip
ANSWERS: tuple[Message, ...] = (OK, ERROR, PROGRESS)
EVENTS: tuple[Message, ...] = (EVENT_ENGINE, EVENT_LANE, EVENT_LATE)
TABLE: dict[str, Message] = {row.address: row for row in (*REQUESTS, *ANSWERS, *EVENTS)}
