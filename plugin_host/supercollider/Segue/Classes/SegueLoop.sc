// A file in a loop on a server; the next file takes over where the loop ends, to the sample.
SegueLoop {
	var <server, <out, <amp, <path, <synth, <>onLoop, buffers, playing = 0, wanted = 0, listener;

	*new { |server, out = 0, amp = 1| ^super.newCopyArgs(server ? Server.default, out, amp).init }

	*initClass {
		StartUp.add {
			// two buffers; `which` counts from the next loop end on
			SynthDef(\segueLoop, { |out = 0, a, b, which = 0, amp = 1|
				var samples = [BufFrames.kr(a), BufFrames.kr(b)];
				var end = TDuty.ar(Dswitch1((samples - 0.005) / SampleRate.ir, which), 0, 1);
				var chosen = Latch.ar(K2A.ar(which), end);
				var place = Sweep.ar(end, SampleRate.ir);
				var sounds = [a, b].collect { |buffer| BufRd.ar(2, buffer, place, 0, 1) };
				SendReply.ar(end, '/segue/loop', chosen);
				Out.ar(out, Select.ar(chosen, sounds) * amp);
			}).add;
			// a lane that JACK brings to the inputs `in` and `in` + 1
			SynthDef(\segueLane, { |out = 0, in = 0, amp = 1|
				Out.ar(out, SoundIn.ar([in, in + 1]) * Lag.kr(amp, 0.02));
			}).add;
		}
	}

	init {
		buffers = Array.newClear(2);
		listener = OSCFunc({ |message|
			if (synth.notNil and: { message[1] == synth.nodeID }) {
				playing = message[3].asInteger;
				onLoop.value(playing);
			}
		}, '/segue/loop', server.addr).permanent_(true);
	}

	// The next file; it begins at once if nothing plays.
	load { |file, action|
		Buffer.read(server, file.standardizePath, action: { |buffer|
			var slot;
			path = file;
			if (synth.isNil) {
				buffers = [buffer, buffer];
				playing = wanted = 0;
				synth = Synth(\segueLoop, [\out, out, \a, buffer, \b, buffer, \amp, amp], server);
			} {
				slot = 1 - playing;
				if (buffers[slot] !== buffers[playing]) { buffers[slot].free };
				buffers[slot] = buffer;
				wanted = slot;
				synth.set([\a, \b][slot], buffer, \which, slot);
			};
			action.value(buffer);
		});
	}

	amp_ { |value| amp = value; synth !? { synth.set(\amp, value) } }

	stop {
		synth !? { synth.free };
		synth = nil;
		buffers.as(IdentitySet).do { |buffer| buffer !? { buffer.free } };
		buffers = Array.newClear(2);
	}

	free { this.stop; listener.free }
}
