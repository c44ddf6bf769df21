"""The prose of docs/osc.md around the tables; `$HELLO` stands for the address of messages.HELLO and so on."""

INTRO = """\
# OSC messages

<!-- made by `python -m bridge.control.docs` from bridge/control/messages.py; a test compares. Do not edit. -->

Clients control Segue's engine with [OSC](https://opensoundcontrol.stanford.edu/spec-1_0.html) over UDP, on port
$PORT of this machine. This page has everything that a client needs.

## Hear it: engine, host, lane 0

1. Run `segue engine` in one terminal. It makes the music and listens on port $PORT.
2. Run `segue host --bpm 96` in another. It opens lane 0 and plays it on your sound card; its clock is the timeline.
   (With `--sync` it follows yours, see [sync.md](sync.md). In a DAW the plugin is the host; it shows its lane.)
3. Send messages to lane 0, from Max, Pd, a controller or the shell:
   `oscsend 127.0.0.1 $PORT $LANE_PROMPT_SHORT is 0 "lo-fi piano"`

The host plays the audio, not the engine: a lane that you open yourself (`$LANE_OPEN`) fills a ring in shared
memory, and is silent until a program reads it ([shared_memory.md](shared_memory.md)). `$LANE_STATUS` says
which host plays a lane, or "nobody listens".

## The protocol

- **Send `$HELLO` first.** It registers you for events and sets where answers go: to `reply_port` of your own
  machine or, with 0, to the port you send from. Max needs a reply port; Pd and SuperCollider do not. A client
  that sends nothing for $TIMEOUT seconds is removed and its lanes are closed; a `$PING` prevents this.
  `$EVENT_CLIENT` warns the client after $WARNED seconds, and reports the removal; answers still go to its reply port.
- **Short form, for message boxes, faders and pedals:** `${SHORT}...` instead of `$ROOT/...`, without an id. Every
  message takes effect. It is answered only if it fails, or if it asks for something
  (`$LANE_GET_SHORT`, `$STATUS_SHORT`, `$HELLO_SHORT`): as `$ROOT/...` with id 0.
- **Long form, for programs: every request begins with an id**, a whole number that you count up. The answer repeats
  it: `$OK id address values...` or `$ERROR id address code text`. Requests marked *slow* are
  answered when their work is done, which may take seconds, and may send `$PROGRESS` before; the others at once, or
  between two hops of the music: as a rule within 0.3 s, later while a window is read. If no answer comes, send the same
  request again with the same id: it takes effect once and is answered again. Ids below $COUNTED may be used again, as
  by a box with a fixed id: the message takes effect again after 10 seconds, or if you changed the same thing meanwhile.
  Ids from $COUNTED on are used once. With id 0 every message takes effect. Later versions may add values at the end of
  answers.
- **For a fader or a tool that sends one value:** `$ROOT/lane/0/temperature 1.1` is
  `$LANE_SET_SHORT 0 temperature 1.1`, and `$ROOT/lane/0/prompt "lo-fi piano"` is
  `$LANE_PROMPT_SHORT 0 "lo-fi piano"`; so for every parameter and request of a lane. `segue oscquery` lists them to
  programs that speak OSCQuery, [layouts](layouts) has them for Open Stage Control and TouchOSC.
- **State comes by itself:** `$SUBSCRIBE id all` sends state, bar and beat ahead of time, levels, fill and what is
  pending, as `$ROOT/state/...`: see [subscriptions.md](subscriptions.md). `$DUMP id on` shows what the engine receives.
- **Types are `i`, `f` and `s`.** Either number type is accepted for a number, a whole float for a whole number;
  yes and no are 1 and 0. Whole numbers stay under 2^24. Text is UTF-8 and one string, spaces included.
- **Arguments in [brackets] are optional**, from the right; they then have their default.
- **`at` is the place where a command takes effect**: $AT.
  Timetags of bundles count too, up to $AHEAD s ahead. A message with `at` is answered at once with its place;
  `$EVENT_HEARD` reports when it is heard. `$LANE_SCHEDULED` lists scheduled commands, `$LANE_CANCEL` cancels them.
  See [commands.md](commands.md).
- **Beats are quarter notes** from the start of the song, whatever the time signature; bars count from 0.
- **Limits:** the engine sends datagrams of up to $BYTES bytes. It accepts datagrams of up to $DATAGRAM bytes, bundles
  nested up to $DEPTH deep, $RATE messages a second from one sender and $ALL_RATE from all; expensive messages count as
  several.
- **Dials may send as fast as they like:** a lane accepts $LANE_RATE commands a second. Of more commands that change the
  same thing at the same place the newest counts, and the answers to the others hold its value; a play that a newer one
  replaces is refused.
- **Other machines:** the engine listens on this machine only, unless it is started with `segue engine --host ADDRESS
  --allow-network --secret-file FILE`. Then request a `$CHALLENGE` and send
  `$HELLO id reply_port name hmac:PROOF`, where PROOF is the HMAC-SHA256 of the text `CHALLENGE REPLY_PORT` with
  the secret as its key, in 64 hexadecimal digits. In Node for Max that is
  `crypto.createHmac("sha256", secret).update(challenge + " " + port).digest("hex")`. Clients that cannot compute it may
  send the secret itself: from the engine's own machine, and from others if the engine was started with
  `--plain-secret`; anybody who captures packets on the network can then read it. One wrong secret a second is checked.
  Before the client is accepted, no answer is longer than its request: longer ones are not sent. Messages after the
  hello are neither encrypted nor signed: use networks that you trust.
"""

SHELL = """\
### Shell (liblo-tools)

With `segue engine` and `segue host` running:

```sh
oscdump $REPLY_PORT &
oscsend 127.0.0.1 $PORT $HELLO iis 1 $REPLY_PORT shell
oscsend 127.0.0.1 $PORT $LANE_STATUS ii 2 0
oscsend 127.0.0.1 $PORT $REGION_FILE iissfi 3 0 continue "$$PWD/riff.wav" 120 0
oscsend 127.0.0.1 $PORT $LANE_PROMPT iis 4 0 "lo-fi piano"
oscsend 127.0.0.1 $PORT $LANE_PLAY iisi 5 0 bar 16
oscsend 127.0.0.1 $PORT $LANE_MUTE iiis 6 0 1 "bars 4"
```

`oscsend` sends from another port each time; answers go to the reply port that its machine set last.
"""

PD = """\
### Pure Data (vanilla, 0.53)

Save as `segue.pd`. It uses the short form, so you can click a box as often as you like. `oscformat` joins the words to
an address; a space inside a text is written `\\ `.

```pd
#N canvas 0 0 640 360 10;
#X obj 20 20 loadbang;
#X obj 20 45 t b b b b;
#X msg 320 70 connect 127.0.0.1 $PORT;
#X msg 170 70 0 patch;
#X msg 20 70 0 lo-fi\\ piano;
#X obj 170 95 oscformat $HELLO_SHORT_WORDS;
#X obj 20 95 oscformat $LANE_PROMPT_SHORT_WORDS;
#X obj 20 130 list prepend send;
#X obj 20 155 list trim;
#X obj 20 180 netsend -u -b;
#X obj 20 210 oscparse;
#X obj 20 235 list trim;
#X obj 20 260 print;
#X msg 420 70 0 1 bars\\ 4;
#X obj 420 95 oscformat $LANE_MUTE_SHORT_WORDS;
#X connect 0 0 1 0;
#X connect 1 3 2 0;
#X connect 1 2 3 0;
#X connect 1 1 4 0;
#X connect 1 0 13 0;
#X connect 2 0 9 0;
#X connect 3 0 5 0;
#X connect 4 0 6 0;
#X connect 5 0 7 0;
#X connect 6 0 7 0;
#X connect 7 0 8 0;
#X connect 8 0 9 0;
#X connect 9 1 10 0;
#X connect 10 0 11 0;
#X connect 11 0 12 0;
#X connect 13 0 14 0;
#X connect 14 0 7 0;
```

It prints `$OK_WORDS 0 $HELLO ...` when the engine answers.
"""

SUPERCOLLIDER = """\
### SuperCollider

```supercollider
~segue = NetAddr("127.0.0.1", $PORT);
OSCdef(\\segueOk, { |message| message.postln }, "$OK");
OSCdef(\\segueError, { |message| message.postln }, "$ERROR");
~segue.sendMsg("$HELLO", 1, 0, "sclang");
~segue.sendMsg("$LANE_PROMPT", 2, 0, "lo-fi piano");
~segue.sendMsg("$LANE_SET", 3, 0, "temperature", 1.1);
~segue.sendMsg("$LANE_PLAY", 4, 0, "bar", 16);
```
"""

MAX = """\
### Max

`udpsend 127.0.0.1 $PORT` sends, `udpreceive $REPLY_PORT` receives. Connect message boxes in the short form to
`udpsend`:

```
$HELLO_SHORT $REPLY_PORT max
$LANE_PROMPT_SHORT 0 "lo-fi piano"
$LANE_SET_SHORT 0 creativity 1.1
$LANE_PLAY_SHORT 0 bar 16
$LANE_MUTE_SHORT 0 1 "bars 4"
```

You can click each as often as you like. For a fader, use `$LANE_SET_SHORT 0 level $$1`. Put a `metro 10000` on
`$PING_SHORT` to stay registered. Quote a text that has spaces (from a `textedit` use `tosymbol`), and `"bars 4"`. For
answers, connect `udpreceive` to `route $OK $ERROR $EVENT_LANE $EVENT_CLIENT`.
"""
