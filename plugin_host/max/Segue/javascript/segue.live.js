// Live: the selected clip as music for a lane, Live's transport for the lane, a take into the selected clip slot.
// Messages: send ROLE LANE, transport LANE, take PATH. Outlet 0: requests for segue.client; 1: words for the player;
// 2: the clip as path, role, bpm, start.
autowatch = 1;
inlets = 1;
outlets = 3;

function first(value) {
	return Array.isArray(value) ? value[0] : value;
}

function get(path, name) {
	var api = new LiveAPI(path);
	return Number(api.id) === 0 ? null : first(api.get(name));
}

function clip() {
	var shown = new LiveAPI("live_set view detail_clip");
	if (Number(shown.id) !== 0 && Number(first(shown.get("is_audio_clip"))) === 1) {
		return shown;
	}
	var slot = new LiveAPI("live_set view highlighted_clip_slot clip");
	return Number(slot.id) !== 0 && Number(first(slot.get("is_audio_clip"))) === 1 ? slot : null;
}

// What of the clip's file is heard: in beats if it is warped, else in seconds.
function part(api) {
	var looping = Number(first(api.get("looping"))) === 1;
	var begin = Number(first(api.get(looping ? "loop_start" : "start_marker")));
	var end = Number(first(api.get(looping ? "loop_end" : "end_marker")));
	return { begin: begin, end: end, warped: Number(first(api.get("warping"))) === 1 };
}

// The tempo of the file between the warp markers around a beat; 0 if Live does not tell.
function tempo(api) {
	var text = first(api.get("warp_markers"));
	if (typeof text !== "string" && typeof text !== "object") {
		return 0;
	}
	var markers = typeof text === "string" ? JSON.parse(text).warp_markers : text.warp_markers;
	if (!markers || markers.length < 2) {
		return 0;
	}
	var a = markers[0];
	var b = markers[markers.length - 1];
	if (markers.length > 2) {
		b = markers[markers.length - 2]; // Live keeps a hidden last marker
	}
	var seconds = b.sample_time - a.sample_time;
	return seconds > 0 ? 60 * (b.beat_time - a.beat_time) / seconds : 0;
}

function send(role, lane) {
	var api = clip();
	if (api === null) {
		outlet(1, "select an audio clip first");
		return;
	}
	var path = String(first(api.get("file_path")));
	var heard = part(api);
	var song = Number(get("live_set", "tempo"));
	var bpm = heard.warped ? tempo(api) : 0;
	var start = Number(get("live_set", "current_song_time"));
	var begins = heard.warped ? heard.begin : heard.begin * song / 60;
	start = Math.ceil(start - 0.001) - begins; // what is heard of the file begins on the next beat
	outlet(2, path, role, bpm, start);
	outlet(0, "region/file", lane, role, path, bpm, start);
	var unit = heard.warped ? " beats" : " s";
	outlet(1, "sent " + path.split("/").pop() + ", " + (heard.end - heard.begin).toFixed(2) + unit + " of it are heard; song at " + song);
}

function transport(lane) {
	var set = new LiveAPI("live_set");
	outlet(0, "transport", lane, Number(first(set.get("is_playing"))), Number(first(set.get("current_song_time"))),
		Number(first(set.get("tempo"))), Number(first(set.get("signature_numerator"))),
		Number(first(set.get("signature_denominator"))));
}

function take(path) {
	var slot = new LiveAPI("live_set view highlighted_clip_slot");
	if (Number(slot.id) === 0) {
		outlet(1, "select an empty clip slot first");
		return;
	}
	if (Number(first(slot.get("has_clip"))) === 1) {
		outlet(1, "the selected clip slot is not empty");
		return;
	}
	slot.call("create_audio_clip", path);
	outlet(1, "take in the slot: " + String(path).split("/").pop());
}
