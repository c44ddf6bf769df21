// The connection to Segue's engine: hello, ids, answers and state. Everything else speaks through it.
Segue {
	classvar <>default;
	var <addr, <connected = false, <>onAnswer, <>onError, <>onState, <>onEvent, <>onConnect;
	var nextId = 0, waiting, lanes, uptime = 1e9, lastHeard = 0, listeners, pinging;

	*new { |port = 9600, host = "127.0.0.1"| ^super.new.init(NetAddr(host, port)) }

	init { |address|
		addr = address;
		waiting = IdentityDictionary.new;
		lanes = IdentityDictionary.new;
		default = default ? this;
		listeners = [
			this.listen("/segue/ok", { |message| this.answered(message) }),
			this.listen("/segue/error", { |message| this.refused(message) })
		];
		[\engine, \lane, \prompt, \parameter, \time, \beat, \levels, \ring, \pending, \take, \progress].do { |kind|
			listeners = listeners.add(this.listen("/segue/state/" ++ kind, { |message| this.receiveState(kind, message) }));
		};
		[\engine, \model, \lane, \late, \heard, \guard, \region, \client, \take].do { |kind|
			listeners = listeners.add(this.listen("/segue/event/" ++ kind, { |message| this.receiveEvent(kind, message) }));
		};
		pinging = SkipJack({ this.ping }, 2, name: "Segue");
	}

	listen { |path, function| ^OSCFunc({ |message| function.value(message) }, path, addr).permanent_(true) }

	// A request of docs/osc.md without /segue/; `action` gets its values, or nothing if none comes.
	send { |name, values, action|
		var id;
		nextId = (nextId + 1) % 1000000;
		id = nextId + 1;
		if (action.notNil) { waiting[id] = action };
		addr.sendMsg("/segue/" ++ name, id, *values);
		^id
	}

	// The same without an answer; failures are still reported.
	tell { |name ... values| addr.sendMsg("/segue/do/" ++ name, *values) }

	lane { |number = 0| ^lanes[number] ?? { lanes[number] = SegueLane(this, number); lanes[number] } }

	ping {
		if (connected and: { Main.elapsedTime - lastHeard > 7 }) { connected = false; onConnect.value(false) };
		addr.sendMsg("/segue/ping", 1000001);
	}

	greet {
		this.tell("hello", 0, "sclang");
		this.tell("subscribe", "all", 10);
		connected = true;
		onConnect.value(true);
	}

	answered { |message|
		var action;
		lastHeard = Main.elapsedTime;
		if (message[2] == '/segue/ping') {
			if (message[3] < uptime or: { connected.not }) { this.greet };
			uptime = message[3];
			^this
		};
		action = waiting.removeAt(message[1]);
		action.value(message.drop(3));
		onAnswer.value(message[2], message.drop(3));
	}

	refused { |message|
		waiting.removeAt(message[1]);
		if (onError.notNil) { onError.value(message[2], message[3], message[4]) } {
			"Segue: % (%, %)".format(message[4], message[3], message[2]).warn
		}
	}

	receiveState { |kind, message|
		lastHeard = Main.elapsedTime;
		onState.value(kind, message.drop(1));
		lanes[message[1]] !? { |lane| lane.receiveState(kind, message.drop(2)) };
	}

	receiveEvent { |kind, message|
		onEvent.value(kind, message.drop(1));
		if (kind == \client and: { message[1] == \forgotten }) { uptime = 1e9 };
		lanes[message[1]] !? { |lane| lane.receiveEvent(kind, message.drop(2)) };
	}

	free {
		this.tell("bye");
		pinging.stop;
		listeners.do(_.free);
		if (default === this) { default = nil };
	}
}

// One stream of music. What changes the sound takes `at`: \now, \beat, \bar, "bars 4", "bar 12", or a beat.
SegueLane {
	var <segue, <number, <state = \unknown, <prompt = "", <parameters, <levels, <time, <ring, <pending;
	var <>onBeat, <>onState, <>onHeard, <>onRegion;

	*new { |segue, number| ^super.newCopyArgs(segue, number).init }

	init { parameters = IdentityDictionary.new }

	prompt_ { |text, at = \now, action| ^this.ask("prompt", [text, at], action) }
	play { |at = \bar, bars = 0, action| ^this.ask("play", [at, bars], action) }
	stop { |at = \bar, action| ^this.ask("stop", [at], action) }
	mute { |on = 1, at = \now, beats = 0, action| ^this.ask("mute", [on, at, beats], action) }
	set { |name, value, at = \now, action| ^this.ask("set", [name, value, at], action) }
	preset { |name, at = \bar, action| ^this.ask("preset", [name, at], action) }
	reseed { |at = \bar, seed = -1, action| ^this.ask("reseed", [at, seed], action) }
	cancel { |id = 0, action| ^this.ask("cancel", [id], action) }
	region { |role, path, bpm = 0, start = 0, at = \now, action|
		^segue.send("region/file", [number, role, path.standardizePath, bpm, start, at], action)
	}
	clear { |role, at = \now, action| ^segue.send("region/clear", [number, role, at], action) }
	ask { |name, values, action| ^segue.send("lane/" ++ name, [number] ++ values, action) }

	receiveState { |kind, values|
		switch (kind,
			\lane, { if (state != values[0]) { state = values[0]; onState.value(state) } },
			\prompt, { prompt = values[0].asString },
			\parameter, { parameters[values[0]] = values[1] },
			\levels, { levels = values },
			\time, { time = values },
			\ring, { ring = values },
			\pending, { pending = values },
			\beat, {
				SystemClock.sched(values[2].max(0) / 1000, { onBeat.value(values[0], values[1]); nil })
			}
		)
	}

	receiveEvent { |kind, values|
		switch (kind,
			\heard, { onHeard.value(*values) },
			\region, { onRegion.value(*values) }
		)
	}
}
