// Messages of a lane as requests: "play bar 16" is lane/play LANE bar 16. The argument is the lane.
autowatch = 1;
inlets = 1;
outlets = 1;

var lane = jsarguments.length > 1 ? jsarguments[1] : 0;

function anything() {
	var values = arrayfromargs(arguments);
	if (messagename === "region") {
		outlet(0, ["region/file", lane].concat(values));
	} else if (messagename === "clear") {
		outlet(0, ["region/clear", lane].concat(values));
	} else {
		outlet(0, ["lane/" + messagename, lane].concat(values));
	}
}
