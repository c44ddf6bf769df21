// Takes of a running `segue watch`: orders, history, and the file of each take when it is made.
SegueTakes {
	var <segue, <addr, <>onTake, <>onError, waiting, nextId = 0, listeners;

	*new { |segue, port = 9610| ^super.newCopyArgs(segue ? Segue.default).init(port) }

	init { |port|
		addr = NetAddr("127.0.0.1", port);
		waiting = IdentityDictionary.new;
		listeners = [
			OSCFunc({ |message| waiting.removeAt(message[1]).value(message.drop(3)) }, "/segue/ok", addr).permanent_(true),
			OSCFunc({ |message|
				waiting.removeAt(message[1]);
				if (onError.notNil) { onError.value(*message.drop(2)) } { "Segue: %".format(message[4]).warn }
			}, "/segue/error", addr).permanent_(true),
			OSCFunc({ |message| onTake.value(message[3].asString, message[2].asString, message[1]) },
				"/segue/event/take", segue.addr).permanent_(true)
		];
	}

	// `bars` 0: as many as the region.
	order { |path, role = \continue, bpm = 120, bars = 8, takes = 1, numerator = 4, denominator = 4, start = 0, action|
		^this.send("take", [path.standardizePath, role, bpm, numerator, denominator, start, bars, takes], action)
	}
	list { |find = "", action| ^this.send("takes/list", [find], action) }
	node { |take, action| ^this.send("takes/node", [take], action) }
	keep { |take, on = 1, action| ^this.send("takes/keep", [take, on], action) }
	rate { |take, rating, action| ^this.send("takes/rate", [take, rating], action) }
	extend { |bars = 8, takes = 1, action| ^this.send("takes/extend", [bars, takes], action) }
	undo { |action| ^this.send("takes/undo", [], action) }

	send { |name, values, action|
		nextId = (nextId + 1) % 1000000;
		if (action.notNil) { waiting[nextId] = action };
		addr.sendMsg("/segue/" ++ name, nextId, *values);
		^nextId
	}

	free { listeners.do(_.free) }
}
