// The plugin's parameters: one row each, in the order of the hosts' numbers, which never change. MIT.
#pragma once
#include <atomic>
#include <cstring>
#include <string>

#include "segue_protocol.h"

namespace segue {

enum Parameter {
    p_generate, p_mode, p_jam, p_capture, p_capture_bars, p_bars, p_creativity, p_guidance, p_take, p_level,
    p_output, p_preset, p_ahead, p_lane, p_clock, p_own_tempo,
    p_inputs,
    // Shown by the plugin.
    p_engine = p_inputs, p_lane_now, p_seed, p_captured_bars, p_heard_tempo, p_port, p_underruns,
    p_clear,  // set by the user again
    p_references, p_creativity_now, p_guidance_now, p_jam_now, p_jam_change,  // shown
    // Presses of the jam, in the order of JamVerb; what came of the last one, shown.
    p_play_stop, p_take_over, p_again, p_keep, p_hold, p_record, p_undo, p_cancel, p_press_answer, p_press_bar,
    p_offline,  // LV2 only: the host's "free-wheeling" port
    p_count
};

struct Row {
    const char* symbol;
    const char* name;
    const char* unit;
    float low, high, initial;
    char kind;              // b on/off, i whole, f any, e of a list
    const char* choices;    // of an e: separated by |
    const char* engine;     // the lane parameter that it sets, if any
    bool shown = false;     // by the plugin; the user sets the others
    const char* zero = nullptr;  // what its lowest value is called, if that is no amount
};

inline constexpr Row rows[p_count] = {
    {"generate", "Generate", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"mode", "Mode", "", 0, 2, 0, 'e', "Melody|Style|Continue", nullptr},
    // It was "Follow input", on or off: songs of before have 0 or 1.
    {"follow_input", "Jam", "", 0, 4, 0, 'e', "Off|Accompany|Trade|Continue|Loop", nullptr},
    {"capture", "Capture", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"capture_bars", "Capture bars", "", 0, 32, 0, 'i', nullptr, nullptr, false, "The loop"},
    {lane_parameter::bars.knob, "Bars", "", 0, 256, lane_parameter::bars.initial, 'i', nullptr,
     lane_parameter::bars.name, false, "Until off"},
    {lane_parameter::temperature.knob, "Creativity", "", 0, 2, 0.9f, 'f', nullptr, lane_parameter::temperature.name},
    {lane_parameter::cfg.knob, "Guidance", "", 0, 10, 2.5f, 'f', nullptr, lane_parameter::cfg.name},
    {lane_parameter::seed.knob, "Take", "", 0, lane_parameter::seed.high, 0, 'i', nullptr, nullptr, false, "New"},
    {lane_parameter::level_db.knob, "Level", "dB", lane_parameter::level_db.low, lane_parameter::level_db.high,
     lane_parameter::level_db.initial, 'f', nullptr, lane_parameter::level_db.name},
    {"output", "Output", "", 0, 2, 0, 'e', "Dry + Segue|Segue|Dry", nullptr},
    {"preset", "Preset", "", 0, preset_count, 0, 'e', "None|" SEGUE_PRESETS, nullptr},
    {lane_parameter::lead_seconds.knob, "Seconds ahead", "", lane_parameter::lead_seconds.low,
     lane_parameter::lead_seconds.high, lane_parameter::lead_seconds.initial, 'f', nullptr,
     lane_parameter::lead_seconds.name},
    {"lane", "Lane", "", -1, lanes_max - 1, -1, 'i', nullptr, nullptr, false, "A free one"},
    {"clock", "Time", "", 0, 1, 0, 'e', "Host|Own", nullptr},
    {"own_tempo", "Own tempo", "", 20, 400, 120, 'f', nullptr, nullptr},
    {"engine", "Engine", "", 0, 19, 0, 'e',
     "Not there|Other version|Connected|Preparing|Playing|Refused|Refused: no model|Refused: no lane is free|"
     "Refused: the lane is taken|Refused: not with this model|Refused: what was captured|"
     "Waits: the host tells no time|Starting|Downloading the model|Loading the model|Warming up|Failed: the model|"
     "Failed: the port is taken|Failed to start|Ended", nullptr, true},
    {"lane_now", "Lane now", "", -1, lanes_max - 1, -1, 'i', nullptr, nullptr, true},
    {"seed", "Take now", "", lane_parameter::seed.low, lane_parameter::seed.high, lane_parameter::seed.initial,
     'i', nullptr, nullptr, true},
    {"captured_bars", "Bars captured", "", 0, 100000, 0, 'f', nullptr, nullptr, true},
    {"heard_tempo", "Tempo heard", "", 0, 999, 0, 'f', nullptr, nullptr, true},
    {"port", "Control port", "", 0, 65535, 0, 'i', nullptr, nullptr, true},
    {"underruns", "Late", "", 0, whole_max, 0, 'i', nullptr, nullptr, true},
    {"clear", "Clear", "", 0, 4, 0, 'e', "Nothing|Melody|Style|Continue|All", nullptr},
    {"references", "In force", "", 0, 7, 0, 'e',
     "Nothing|Melody|Style|Melody + Style|Continue|Melody + Continue|Style + Continue|Melody + Style + Continue",
     nullptr, true},
    {"creativity_now", "Creativity now", "", 0, 2, 0, 'f', nullptr, nullptr, true},
    {"guidance_now", "Guidance now", "", 0, 10, 0, 'f', nullptr, nullptr, true},
    {"jam_now", "Jam now", "", 0, 6, 0, 'e', "Off|Count in|Listening|Playing|Both|Held|Stopped", nullptr, true},
    {"jam_change", "Jam: beats to the next change", "", 0, 100000, 0, 'f', nullptr, nullptr, true},
    {"play_stop", "Jam: play or stop", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"take_over", "Jam: take over", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"again", "Jam: again", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"keep", "Jam: keep", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"hold", "Jam: hold", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"record", "Jam: record", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"undo", "Jam: undo", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"cancel", "Jam: cancel", "", 0, 1, 0, 'b', nullptr, nullptr},
    {"press_answer", "Jam: last press", "", 0, 3, 0, 'e', "None|Taken|Cancelled|Refused", nullptr, true},
    {"press_bar", "Jam: heard from bar", "", 0, 100000, 0, 'i', nullptr, nullptr, true},
    {"offline", "Offline", "", 0, 1, 0, 'b', nullptr, nullptr},
};

// A knob's range lies within that of its lane parameter.
constexpr bool fits(int knob, const LaneParameter& of) {
    return rows[knob].low >= of.low && rows[knob].high <= of.high;
}
static_assert(fits(p_bars, lane_parameter::bars) && fits(p_creativity, lane_parameter::temperature) &&
              fits(p_guidance, lane_parameter::cfg) && fits(p_take, lane_parameter::seed));

// Entry `at` of a list's choices.
inline std::string choice_at(int parameter, int at) {
    const char* begin = rows[parameter].choices;
    for (; at > 0; --at) begin = std::strchr(begin, '|') + 1;
    const char* end = std::strchr(begin, '|');
    return end ? std::string(begin, end) : std::string(begin);
}

enum EngineState {
    engine_absent, engine_foreign, engine_connected, engine_preparing, engine_playing,
    engine_refused, engine_no_model, engine_no_room, engine_lane_taken, engine_cannot, engine_bad_capture,
    engine_timeless,
    engine_starting, engine_downloading, engine_loading, engine_warming,  // there is none yet, or no model
    engine_model_failed, engine_port_taken, engine_start_failed, engine_ended,  // none is started by itself
};

// All values; each is written by one thread and read by any.
class Values {
public:
    Values() {
        for (int i = 0; i < p_count; ++i) set(i, rows[i].initial);
    }
    float get(int parameter) const { return values_[parameter].load(std::memory_order_relaxed); }
    int whole(int parameter) const { return static_cast<int>(get(parameter) + (get(parameter) < 0 ? -0.5f : 0.5f)); }
    bool on(int parameter) const { return get(parameter) > 0.5f; }
    // Set a value from outside, limited to its range; NaN is ignored.  [any]
    void set(int parameter, float value) {
        if (!(value >= -1e9f && value <= 1e9f)) return;
        const Row& row = rows[parameter];
        values_[parameter].store(value < row.low ? row.low : value > row.high ? row.high : value,
                                 std::memory_order_relaxed);
    }

private:
    std::atomic<float> values_[p_count];
};

}  // namespace segue
