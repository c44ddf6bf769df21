// The connection of segue.client: hello, subscriptions, ids. Inlet 0: requests without /segue/ and id, and a bang every
// two seconds; inlet 1: what the engine sends. Outlet 0: the same; 1: whether it answers; 2: to udpsend.
autowatch = 1;
inlets = 2;
outlets = 3;

var GONE_MS = 7000;
var replyPort = 9601;
var id = 0;
var connected = false;
var uptime = 0;
var heardAt = 0;

function now() {
	return new Date().getTime();
}

// The port of udpreceive: Max's udpsend cannot receive, so the engine must be told it.
function reply_port(port) {
	replyPort = port;
	connected = false;
}

function hello() {
	outlet(2, "/segue/hello", 1048575, replyPort, "max");
}

function show(value) {
	if (connected !== value) {
		connected = value;
		outlet(1, value ? 1 : 0);
	}
}

function bang() {
	if (inlet !== 0) {
		return;
	}
	if (connected && now() - heardAt > GONE_MS) {
		show(false);
	}
	if (!connected) {
		hello();
	}
	outlet(2, "/segue/ping", 1048574);
}

function anything() {
	var values = arrayfromargs(arguments);
	if (inlet === 1) {
		received(messagename, values);
		return;
	}
	id = (id % 1000000) + 1;
	outlet(2, ["/segue/" + messagename, id].concat(values));
}

function received(address, values) {
	heardAt = now();
	if (address === "/segue/ok" && values[1] === "/segue/hello") {
		show(true);
		outlet(2, "/segue/do/subscribe", "all", 10);
	} else if (address === "/segue/ok" && values[1] === "/segue/ping") {
		if (values[2] < uptime) {
			hello(); // the engine was started again
		}
		uptime = values[2];
	} else if (address === "/segue/event/client" && values[0] === "forgotten") {
		hello();
	} else if (address === "/segue/error") {
		post("segue: " + values[3] + " (" + values[2] + ", " + values[1] + ")\n");
	}
	outlet(0, [address].concat(values));
}
