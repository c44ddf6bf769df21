// Two buffers in turn. Inlet 0: a file, or stop; inlet 1: a bang at the loop's end; inlet 2: the buffer that was read, 0
// or 1. Outlet 0 and 1: to the buffers; 2: which one from the next end on; 3: the count's limit; 4: the length in ms;
// 5: to the count; 6: 1 while it sounds. The argument begins the names of the buffers.
autowatch = 1;
inlets = 3;
outlets = 7;

var playing = -1;
var waiting = -1;
var reading = 0;
var lengths = [0, 0];
var name = jsarguments.length > 1 ? jsarguments[1] : "";

function buffer(number) {
	return new Buffer(name + "-" + "ab".charAt(number));
}

function anything() {
	if (inlet !== 0) {
		return;
	}
	if (messagename === "stop") {
		playing = waiting = -1;
		outlet(6, 0);
		outlet(5, "stop");
		return;
	}
	var file = messagename === "symbol" ? arguments[0] : [messagename].concat(arrayfromargs(arguments)).join(" ");
	reading = playing === 0 ? 1 : 0;
	outlet(reading, "replace", file);
}

function msg_int(number) {
	if (inlet !== 2 || number !== reading) {
		return;
	}
	lengths[number] = buffer(number).framecount();
	waiting = number;
	outlet(2, number);
	if (playing < 0) {
		ended();
		outlet(5, "bang");
		outlet(6, 1);
	}
}

function bang() {
	if (inlet === 1 && playing >= 0) {
		ended();
	}
}

function ended() {
	if (waiting >= 0) {
		playing = waiting;
		waiting = -1;
		outlet(3, lengths[playing]);
	}
	outlet(4, buffer(playing).length());
}
