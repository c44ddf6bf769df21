// Prompts of a lane, mixed: a list of weights, "xy 0.5 0.5", "styles 1 1", with the glide of the last "glide 8";
// "save my-scene"; everything else is lane/NAME LANE. The argument is the lane.
autowatch = 1;
inlets = 1;
outlets = 1;

var lane = jsarguments.length > 1 ? jsarguments[1] : 0;
var beats = 0;

function list() {
	weights("prompts", arrayfromargs(arguments));
}

function msg_float(weight) {
	weights("prompts", [weight]);
}

function msg_int(weight) {
	weights("prompts", [weight]);
}

function styles() {
	weights("styles", arrayfromargs(arguments));
}

function weights(what, values) {
	outlet(0, ["lane/morph", lane, what, beats, "now"].concat(values));
}
weights.local = 1;

function glide(value) {
	beats = value;
}

function xy(x, y) {
	outlet(0, ["lane/surface", lane, x, y, beats]);
}

function anything() {
	var values = arrayfromargs(arguments);
	if (messagename === "save") {
		outlet(0, ["preset/save", lane].concat(values));
	} else {
		outlet(0, ["lane/" + messagename, lane].concat(values));
	}
}
