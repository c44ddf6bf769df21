// What the plugin shares with the engine. Made by `python -m bridge.control.protocol_header`. MIT.
#pragma once

#define SEGUE_PRESETS \
    "answer-me|night-bus|out-on-a-limb|peak-hour|porch|same-but-new|" \
    "slow-tide|straight-on|arcade|blue-smoke|brass-band|chamber|" \
    "drum-room|dub-cellar|evening-shore|garage-band|head-nod|in-the-pocket|" \
    "laid-back|low-end|morning-radio|neon-rain|six-strings|squeezebox|" \
    "string-bed|synth-lead|upright|warehouse"

namespace segue {

inline constexpr int protocol_version = 4, default_engine_port = 9600, first_plugin_port = 9620,
    plugin_ports = 32, datagram_bytes_max = 9216, text_max = 1000, whole_max = 16777215, lanes_max = 64;
inline constexpr int preset_count = 28, n_roles = 3;
inline constexpr const char* roles[n_roles] = {"melody", "style", "continue"};
inline constexpr int n_jam_verbs = 8;
inline constexpr const char* jam_verbs[n_jam_verbs] = {
    "play_stop", "take_over", "again", "keep", "hold", "record", "undo", "cancel"};
inline constexpr const char* next_bar = "bar";
inline constexpr const char* all_roles = "all";
inline constexpr const char* plugin_root = "/segue/plugin/";
inline constexpr const char* plugin_usage =
    "status; prompt text; set name value; clear [role]; press verb [bars]; engine port; start [model]; view";

namespace address {
inline constexpr const char* hello = "/segue/hello";
inline constexpr const char* challenge = "/segue/challenge";
inline constexpr const char* bye = "/segue/bye";
inline constexpr const char* ping = "/segue/ping";
inline constexpr const char* sync = "/segue/sync";
inline constexpr const char* status = "/segue/status";
inline constexpr const char* stats = "/segue/stats";
inline constexpr const char* presets = "/segue/presets";
inline constexpr const char* quit = "/segue/quit";
inline constexpr const char* model = "/segue/model";
inline constexpr const char* model_list = "/segue/model/list";
inline constexpr const char* model_load = "/segue/model/load";
inline constexpr const char* model_cancel = "/segue/model/cancel";
inline constexpr const char* model_unload = "/segue/model/unload";
inline constexpr const char* lane_open = "/segue/lane/open";
inline constexpr const char* lane_close = "/segue/lane/close";
inline constexpr const char* lane_set = "/segue/lane/set";
inline constexpr const char* lane_get = "/segue/lane/get";
inline constexpr const char* lane_prompt = "/segue/lane/prompt";
inline constexpr const char* lane_slot = "/segue/lane/slot";
inline constexpr const char* lane_morph = "/segue/lane/morph";
inline constexpr const char* lane_surface = "/segue/lane/surface";
inline constexpr const char* lane_preset = "/segue/lane/preset";
inline constexpr const char* lane_recall = "/segue/lane/recall";
inline constexpr const char* preset_save = "/segue/preset/save";
inline constexpr const char* preset_list = "/segue/preset/list";
inline constexpr const char* lane_play = "/segue/lane/play";
inline constexpr const char* lane_stop = "/segue/lane/stop";
inline constexpr const char* lane_mute = "/segue/lane/mute";
inline constexpr const char* lane_reseed = "/segue/lane/reseed";
inline constexpr const char* lane_cancel = "/segue/lane/cancel";
inline constexpr const char* lane_scheduled = "/segue/lane/scheduled";
inline constexpr const char* lane_status = "/segue/lane/status";
inline constexpr const char* lane_stats = "/segue/lane/stats";
inline constexpr const char* lane_tokens = "/segue/lane/tokens";
inline constexpr const char* lane_ring = "/segue/lane/ring";
inline constexpr const char* transport = "/segue/transport";
inline constexpr const char* tap = "/segue/tap";
inline constexpr const char* region_file = "/segue/region/file";
inline constexpr const char* region_begin = "/segue/region/begin";
inline constexpr const char* region_chunk = "/segue/region/chunk";
inline constexpr const char* region_end = "/segue/region/end";
inline constexpr const char* region_clear = "/segue/region/clear";
inline constexpr const char* region_capture = "/segue/region/capture";
inline constexpr const char* region_listen = "/segue/region/listen";
inline constexpr const char* take_made = "/segue/take/made";
inline constexpr const char* subscribe = "/segue/subscribe";
inline constexpr const char* unsubscribe = "/segue/unsubscribe";
inline constexpr const char* subscriptions = "/segue/subscriptions";
inline constexpr const char* dump = "/segue/dump";
inline constexpr const char* report = "/segue/report";
inline constexpr const char* ok = "/segue/ok";
inline constexpr const char* error = "/segue/error";
inline constexpr const char* progress = "/segue/progress";
inline constexpr const char* event_engine = "/segue/event/engine";
inline constexpr const char* event_model = "/segue/event/model";
inline constexpr const char* event_lane = "/segue/event/lane";
inline constexpr const char* event_excerpt = "/segue/event/excerpt";
inline constexpr const char* event_late = "/segue/event/late";
inline constexpr const char* event_time = "/segue/event/time";
inline constexpr const char* event_heard = "/segue/event/heard";
inline constexpr const char* event_guard = "/segue/event/guard";
inline constexpr const char* event_region = "/segue/event/region";
inline constexpr const char* event_grid = "/segue/event/grid";
inline constexpr const char* event_client = "/segue/event/client";
inline constexpr const char* event_take = "/segue/event/take";
inline constexpr const char* state_engine = "/segue/state/engine";
inline constexpr const char* state_lane = "/segue/state/lane";
inline constexpr const char* state_prompt = "/segue/state/prompt";
inline constexpr const char* state_parameter = "/segue/state/parameter";
inline constexpr const char* state_time = "/segue/state/time";
inline constexpr const char* state_beat = "/segue/state/beat";
inline constexpr const char* state_levels = "/segue/state/levels";
inline constexpr const char* state_ring = "/segue/state/ring";
inline constexpr const char* state_pending = "/segue/state/pending";
inline constexpr const char* state_take = "/segue/state/take";
inline constexpr const char* state_progress = "/segue/state/progress";
inline constexpr const char* dumped = "/segue/dumped";
inline constexpr const char* plugin_status = "/segue/plugin/status";
inline constexpr const char* plugin_prompt = "/segue/plugin/prompt";
inline constexpr const char* plugin_set = "/segue/plugin/set";
inline constexpr const char* plugin_clear = "/segue/plugin/clear";
inline constexpr const char* plugin_press = "/segue/plugin/press";
inline constexpr const char* plugin_engine = "/segue/plugin/engine";
inline constexpr const char* plugin_start = "/segue/plugin/start";
inline constexpr const char* plugin_view = "/segue/plugin/view";
inline constexpr const char* plugin_ok = "/segue/plugin/ok";
inline constexpr const char* plugin_error = "/segue/plugin/error";
}

namespace lane_state {
inline constexpr const char* idle = "idle";
inline constexpr const char* preparing = "preparing";
inline constexpr const char* playing = "playing";
inline constexpr const char* ended = "ended";
inline constexpr const char* failed = "failed";
}

namespace engine_state_word {
inline constexpr const char* loading = "loading";
inline constexpr const char* stopping = "stopping";
}

namespace load_stage {
inline constexpr const char* downloading = "downloading";
inline constexpr const char* warming_up = "warming up";
}

namespace error_code {
inline constexpr const char* internal = "internal";
inline constexpr const char* bad_message = "bad_message";
inline constexpr const char* bad_packet = "bad_packet";
inline constexpr const char* unknown_address = "unknown_address";
inline constexpr const char* wrong_count = "wrong_count";
inline constexpr const char* wrong_type = "wrong_type";
inline constexpr const char* out_of_range = "out_of_range";
inline constexpr const char* not_allowed = "not_allowed";
inline constexpr const char* busy = "busy";
inline constexpr const char* bad_lane = "bad_lane";
inline constexpr const char* no_such_lane = "no_such_lane";
inline constexpr const char* lane_in_use = "lane_in_use";
inline constexpr const char* bad_region = "bad_region";
inline constexpr const char* region_missing = "region_missing";
inline constexpr const char* region_unreadable = "region_unreadable";
inline constexpr const char* region_not_audio = "region_not_audio";
inline constexpr const char* region_too_short = "region_too_short";
inline constexpr const char* region_too_long = "region_too_long";
inline constexpr const char* region_format = "region_format";
inline constexpr const char* region_not_finite = "region_not_finite";
inline constexpr const char* region_silent = "region_silent";
inline constexpr const char* region_transfer = "region_transfer";
inline constexpr const char* unsupported = "unsupported";
inline constexpr const char* not_ready = "not_ready";
inline constexpr const char* bad_model = "bad_model";
inline constexpr const char* load_overtaken = "load_overtaken";
inline constexpr const char* shared_memory = "shared_memory";
inline constexpr const char* segment_missing = "segment_missing";
inline constexpr const char* segment_foreign = "segment_foreign";
inline constexpr const char* endpoint = "endpoint";
inline constexpr const char* port_in_use = "port_in_use";
inline constexpr const char* unsafe_bind = "unsafe_bind";
inline constexpr const char* no_answer = "no_answer";
inline constexpr const char* bad_preset = "bad_preset";
}

inline constexpr const char* region_codes[] = {
    "bad_region", "region_missing", "region_unreadable", "region_not_audio", "region_too_short", "region_too_long",
    "region_format", "region_not_finite", "region_silent", "region_transfer"};

// A row of the table of lane parameters; `knob` is what the plugin calls it.
struct LaneParameter {
    const char *name, *knob;
    float low, high, initial;
};
namespace lane_parameter {
inline constexpr LaneParameter temperature{"temperature", "creativity", 0, 4, 1};
inline constexpr LaneParameter top_k{"top_k", "top_k", 0, 4096, 250};
inline constexpr LaneParameter top_p{"top_p", "top_p", 0, 1, 0};
inline constexpr LaneParameter cfg{"cfg", "guidance", 0, 20, 3};
inline constexpr LaneParameter cfg_beta{"cfg_beta", "cfg_beta", 0, 20, 0};
inline constexpr LaneParameter two_step{"two_step", "two_step", 0, 1, 0};
inline constexpr LaneParameter excerpt_seconds{"excerpt_seconds", "excerpt_seconds", 1.5f, 4.5f, 3};
inline constexpr LaneParameter excerpt_start{"excerpt_start", "excerpt_start", -1, 3600, -1};
inline constexpr LaneParameter eval_q{"eval_q", "eval_q", 1, 6, 3};
inline constexpr LaneParameter seed{"seed", "take", -1, 16777215, -1};
inline constexpr LaneParameter bars{"bars", "bars", 0, 100000, 0};
inline constexpr LaneParameter lead_seconds{"lead_seconds", "ahead", 0.2f, 20, 2};
inline constexpr LaneParameter level_db{"level_db", "level", -60, 12, 0};
inline constexpr LaneParameter loudness_match{"loudness_match", "loudness_match", 0, 1, 1};
inline constexpr LaneParameter loudness_lufs{"loudness_lufs", "loudness_lufs", -60, 0, 0};
inline constexpr LaneParameter guard{"guard", "guard", 0, 1, 1};
inline constexpr LaneParameter candidates{"candidates", "candidates", 1, 4, 1};
inline constexpr LaneParameter bend{"bend", "bend", 0, 1, 1};
inline constexpr LaneParameter keep_harmony{"keep_harmony", "keep_harmony", 0, 1, 1};
inline constexpr LaneParameter region_tempo{"region_tempo", "region_tempo", 0, 1, 1};
inline constexpr LaneParameter instruments{"instruments", "instruments", 0, 255, 0};
inline constexpr LaneParameter density{"density", "density", -1, 1, -1};
inline constexpr LaneParameter section{"section", "section", -1, 6, -1};
inline constexpr LaneParameter key{"key", "key", -1, 23, -1};
}

}  // namespace segue
