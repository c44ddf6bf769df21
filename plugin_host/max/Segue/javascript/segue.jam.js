// Presses for a jam. Inlet 0: verbs, and a bang every five seconds; inlet 1: what the jam sends. Outlet 0: its state;
// 1: presses, from anywhere; 2: to udpsend.
autowatch = 1;
inlets = 2;
outlets = 3;

var replyPort = 9602;

function reply_port(port) {
	replyPort = port;
}

function bang() {
	outlet(2, "/segue/jam/listen", replyPort, 10);
}

function anything() {
	var values = arrayfromargs(arguments);
	if (inlet === 0) {
		outlet(2, ["/segue/jam/" + messagename].concat(values));
	} else if (messagename === "/segue/jam/event/state") {
		outlet(0, values);
	} else if (messagename === "/segue/jam/event/press") {
		outlet(1, values);
	}
}
