// The plugin's shown values, and its answers to other programs on this machine. See session.hpp. MIT.
#include <cstring>

#include "session.hpp"

namespace segue {

namespace {

constexpr uint64_t second_ns = 1000000000u;
constexpr double look_seconds = 0.3;
constexpr int silent_looks_max = 2;  // one may have been sent before a play began

struct Refusal {
    const char* code;
    int state;
};
constexpr Refusal refusals[] = {
    {error_code::not_ready, engine_no_model}, {error_code::busy, engine_no_room},
    {error_code::lane_in_use, engine_lane_taken}, {error_code::unsupported, engine_cannot},
};

std::string inputs_by_name() {
    std::string names;
    for (int i = 0; i < p_offline; ++i)
        if (!rows[i].shown) names += (names.empty() ? "" : ", ") + std::string(rows[i].symbol);
    return names;
}

}  // namespace

// -- shown values ------------------------------------------------------------------------------------

// The state of the connection to the engine.
int Session::engine_state() {
    if (!reader_ || lost()) return unreached_;
    if (refusal_) return refusal_;
    if (values_.on(p_generate) && !shared_.timed && !values_.on(p_clock) && !shared_.own_time) return engine_timeless;
    if (asking_ || (playing_ && !sounding_)) return engine_preparing;
    return playing_ ? engine_playing : engine_connected;
}

void Session::show_state() {
    show(p_engine, engine_state());
    show(p_references, in_force_);
}

// Store a refusal and its reason.
void Session::refuse(const Answer& answer) {
    if (answer.kind != Answer::refused) return;
    refusal_ = engine_refused;
    for (const char* code : region_codes)
        if (answer.code == code) refusal_ = engine_bad_capture;
    for (const Refusal& known : refusals)
        if (answer.code == known.code) refusal_ = known.state;
    why_ = answer.text;
}

// Request the lane's state twice a second: events may get lost, and other clients may change it.
void Session::look() {
    const uint64_t now = monotonic_ns();
    if (now - look_ns_ < second_ns / 2) return;
    look_ns_ = now;
    const Answer lane = link_.ask(address::lane_status, {lane_}, look_seconds);
    if (!lane.good()) return;
    const std::string state = lane.values.text(0), references = lane.values.text(4);
    in_force_ = 0;
    for (int role = 0; role < n_roles; ++role)
        if (references.find(roles[role]) != std::string::npos) in_force_ |= 1u << role;
    const bool plays = state == lane_state::playing || state == lane_state::preparing;
    silent_looks_ = plays ? 0 : silent_looks_ + 1;
    if (plays || silent_looks_ >= silent_looks_max) lane_is(state);
    const Answer creativity = link_.ask(address::lane_get, {lane_, lane_parameter::temperature.name}, look_seconds);
    if (creativity.good()) show(p_creativity_now, creativity.values.number(1));
    const Answer guidance = link_.ask(address::lane_get, {lane_, lane_parameter::cfg.name}, look_seconds);
    if (guidance.good()) show(p_guidance_now, guidance.values.number(1));
}

void Session::on_message(const Message& message, bool from_engine) {
    if (!from_engine) {
        other_said(message);
        return;
    }
    if (message.address == address::event_engine && message.text(0) == engine_state_word::stopping)
        engine_start_.ends_on_request();
    if (message.whole(0) != lane_) return;
    if (message.address == address::event_lane) lane_is(message.text(1));
    if (message.address == address::event_region) show(p_heard_tempo, message.number(2));
}

// Handle a state of the lane.
void Session::lane_is(const std::string& state) {
    sounding_ = state == lane_state::playing;
    const bool failed = state == lane_state::failed, ended = state == lane_state::ended;
    if ((!ended && !failed && state != lane_state::idle) || !playing_) return;
    playing_ = false;
    ended_ = ended;
    if (failed) generating_ = false;
    if (failed) refused_ns_ = monotonic_ns() + second_ns;
}

// -- messages of other programs on this machine, in place of a window of the plugin -----------------

void Session::reply_ok(const Message& message, std::vector<Value> values) {
    values.insert(values.begin(), Value(message.address));
    link_.reply({address::plugin_ok, std::move(values)});
}

void Session::reply_error(const Message& message, const char* code, const std::string& text) {
    link_.reply({address::plugin_error, {message.address, code, text}});
}

void Session::other_said(const Message& message) {
    const auto& values = message.values;
    const std::string& asked = message.address;
    if (asked.compare(0, std::strlen(plugin_root), plugin_root) != 0 || asked == plugin_root) return;
    if (asked == address::plugin_ok || asked == address::plugin_error) return;
    if (asked == address::plugin_status && values.empty()) {
        say_status();
    } else if (asked == address::plugin_view && values.empty()) {
        say_view();
    } else if (asked == address::plugin_prompt && values.size() == 1 && values[0].tag == 's') {
        std::lock_guard<std::mutex> guard(texts_);
        saved_.prompt = message.text(0).substr(0, text_max);
        reply_ok(message, {saved_.prompt});
    } else if (asked == address::plugin_engine && values.size() == 1 && values[0].tag != 's') {
        restore("engine_port", std::to_string(message.whole(0)));
        retry_ns_ = 0;
        reply_ok(message, {saved().engine_port});
    } else if (asked == address::plugin_start && values.size() <= 1 && (values.empty() || values[0].tag == 's')) {
        engine_start_.press(message.text(0).substr(0, text_max));
        retry_ns_ = 0;
        reply_ok(message, {});
    } else if (asked == address::plugin_set && values.size() == 2 && values[0].tag == 's' && values[1].tag != 's') {
        turned_by_other(message);
    } else if (asked == address::plugin_press && !values.empty() && values.size() <= 2 && values[0].tag == 's') {
        pressed_by_other(message);
    } else if (asked == address::plugin_clear && values.size() <= 1) {
        cleared_by_other(message);
    } else {
        reply_error(message, error_code::bad_message,
                    std::string("a plugin takes under ") + plugin_root + ": " + plugin_usage);
    }
}

// Set a parameter by its name; notifies the host if possible, so that its window and its song have the value.
void Session::turned_by_other(const Message& message) {
    for (int i = 0; i < p_offline; ++i) {
        const bool named = message.text(0) == rows[i].symbol || (i == p_jam && message.text(0) == "jam");
        if (rows[i].shown || !named) continue;
        values_.set(i, static_cast<float>(message.number(1)));
        const bool shown = turned_ && turned_(i, values_.get(i));
        reply_ok(message, {rows[i].symbol, static_cast<double>(values_.get(i)), shown ? 1 : 0});
        return;
    }
    reply_error(message, error_code::out_of_range,
                "there is no parameter '" + message.text(0).substr(0, 32) + "'; there is " + inputs_by_name());
}

void Session::cleared_by_other(const Message& message) {
    unsigned mask = message.values.empty() || message.text(0) == all_roles ? 7u : 0u;
    for (int role = 0; role < n_roles; ++role)
        if (message.text(0) == roles[role]) mask = 1u << role;
    if (!mask) {
        reply_error(message, error_code::out_of_range,
                    "role is '" + message.text(0).substr(0, 32) + "', must be melody, style, continue or all");
        return;
    }
    clear_captured(mask);
    reply_ok(message, {});
}

// Why the state is one in which nothing plays; or empty.
std::string Session::why_text(int state) const {
    return state == engine_absent || (state >= engine_refused && state != engine_timeless) ? why_ : "";
}

// state, why, lane, take, what is in force, prompt
void Session::say_status() {
    const Saved now = saved();
    const int state = engine_state();
    link_.reply({address::plugin_ok, {address::plugin_status, choice_at(p_engine, state), why_text(state), lane_,
                                      values_.whole(p_seed), choice_at(p_references, static_cast<int>(in_force_)),
                                      now.prompt}});
}

}  // namespace segue
