// What the engine is told of the plugin's knobs, and what it tells. See session.hpp. MIT.
#include <cmath>
#include <cstring>

#include "session.hpp"

namespace segue {

namespace {

constexpr double ask_seconds = 5.0, slow_seconds = 30.0;
constexpr uint64_t second_ns = 1000000000u, settled_ns = second_ns / 5;
constexpr int refusals_max = 3;
const char* const roles[] = {"melody", "style", "continue"};
constexpr int first_capture_number = 1000;  // lanes have the numbers below

// Number `at` of a list "a|b|c".
std::string choice(const char* choices, int at) {
    const char* begin = choices;
    for (; at > 0 && begin; --at) {
        begin = std::strchr(begin, '|');
        if (begin) ++begin;
    }
    if (!begin) return "";
    const char* end = std::strchr(begin, '|');
    return end ? std::string(begin, end) : std::string(begin);
}

}  // namespace

bool Session::set_value(const char* name, double value) {
    return link_.ask("/segue/lane/set", {lane_, name, value}, ask_seconds).kind != Answer::none;
}

void Session::tell_preset() {
    preset_ = values_.whole(p_preset);
    if (preset_ > 0) {
        const std::string name = choice(rows[p_preset].choices, preset_);
        link_.ask("/segue/lane/preset", {lane_, name}, ask_seconds);
    }
    for (int i = 0; i < p_inputs; ++i) told_[i] = preset_ > 0 ? rows[i].initial : NAN;  // what was turned goes before it
}

void Session::follow_values() {
    if (preset_ != values_.whole(p_preset)) tell_preset();
    for (int i = 0; i < p_inputs; ++i) {
        const float value = values_.get(i);
        if (!rows[i].engine || told_[i] == value) continue;
        if (!set_value(rows[i].engine, rows[i].kind == 'i' ? std::round(value) : value)) return;
        told_[i] = value;
    }
    const std::string prompt = saved().prompt;
    if (prompt != told_prompt_) {
        link_.ask("/segue/lane/prompt", {lane_, prompt}, slow_seconds);
        told_prompt_ = prompt;  // a refusal (a model without words) is not asked again
    }
}

// -- playing ------------------------------------------------------------------------------------------

// Begin, end or change the stream as Generate and Take say, once the host has said where it is.
void Session::follow_generate() {
    const bool wanted = values_.on(p_generate);
    if (!wanted) {
        if (generating_ && (playing_ || ended_)) {
            if (shared_.playing)
                link_.ask("/segue/lane/stop", {lane_, "bar"}, ask_seconds);
            else
                link_.ask("/segue/lane/stop", {lane_}, ask_seconds);
        }
        if (generating_) fresh_ = false;
        generating_ = playing_ = ended_ = false;
        return;
    }
    if (shared_.blocks <= blocks_at_open_ || monotonic_ns() < refused_ns_ || !whole_again()) return;
    const bool other_take = generating_ && take_ != values_.whole(p_take);
    if (generating_ && !other_take) return;
    if (!generating_ && !fresh_ && !playing_ && end_beats_ >= 0 && shared_.beats >= end_beats_) end_beats_ = -1;
    if (other_take) fresh_ = false;
    const double start = saved().start_beats;
    const bool again = fresh_ && start >= 0 && shared_.beats <= start + 1e-6;
    if (play(again ? start : -1)) generating_ = true;
}

// Whether all that the host's project says has come, and the engine has heard what was captured.
bool Session::whole_again() const {
    return !capture_waits() && !restored_ && monotonic_ns() - restored_ns_ > settled_ns;
}

// A play at a beat, or (-1) on the next bar line; false when it is to be tried again.
bool Session::play(double at_beats) {
    const int take = values_.whole(p_take), bars = values_.whole(p_bars);
    const int64_t seed = take > 0 ? take : fresh_ || ended_ || lane_ < 0 ? saved().seed : -1;
    if (!set_value("seed", static_cast<double>(seed))) return false;
    show(p_engine, engine_preparing);
    const Answer answer = at_beats >= 0 ? link_.ask("/segue/lane/play", {lane_, at_beats, bars}, slow_seconds)
                                        : link_.ask("/segue/lane/play", {lane_, "bar", bars}, slow_seconds);
    if (!answer.good()) {
        refused_ns_ = monotonic_ns() + second_ns;
        show(p_engine, engine_refused);
        return false;
    }
    take_ = take;
    playing_ = true;
    ended_ = false;
    fresh_ = true;  // from here on the same music is meant, until a new take is asked for
    const double start = answer.values.number(0);
    end_beats_ = bars > 0 ? start + bars * shared_.beats_per_bar : -1;
    {
        std::lock_guard<std::mutex> guard(texts_);
        saved_.start_beats = start;
        saved_.seed = answer.values.whole(2);
    }
    show(p_seed, static_cast<double>(answer.values.whole(2)));
    show(p_engine, engine_playing);
    return true;
}

// The host is elsewhere: a stream that plays is moved by the engine; one that was over is made again.
void Session::follow_host() {
    const uint32_t timeline = shared_.timeline;
    if (timeline == shared_.handled_timeline || !generating_) return;
    if (!playing_ && ended_ && shared_.beats < end_beats_ - 1e-6) {
        const double start = saved().start_beats;
        play(shared_.beats <= start + 1e-6 ? start : -1);
    }
}

// Say up to where all is dealt with, for a host that renders faster than the clock and waits.
void Session::settle() {
    const uint32_t timeline = shared_.timeline;
    const bool elsewhere = timeline != shared_.handled_timeline && ended_ && shared_.beats < end_beats_ - 1e-6;
    const bool on = values_.on(p_generate), done = !on || (generating_ && (playing_ || (ended_ && !elsewhere)));
    shared_.expecting = playing_;
    shared_.handled_on = on;
    shared_.handled_timeline = done ? timeline : ~0u;
}

// -- captures -----------------------------------------------------------------------------------------

void Session::follow_capture() {
    if (restored_.exchange(false)) restore_capture();
    const int64_t wanted = recorder_.wanted_samples();
    if (capture_waits()) hand_over_capture();
    if (wanted <= 0 || wanted > int64_t(300) * processor_.sample_rate_hz()) return;
    if (capture_ && offered_ && capture_->capacity() >= wanted) {
        if (delivered_ && capture_->state() == capture_whole) {
            capture_->clear();
            delivered_ = false;
            role_ = -1;
        }
        return;
    }
    const uint64_t now = monotonic_ns();
    if (now < capture_ns_) return;
    capture_ns_ = now + second_ns;
    std::string why;
    const int number = first_capture_number + number_ * 100 + captures_++ % 100;
    auto made = Capture::create(number, processor_.sample_rate_hz(), processor_.channels(), wanted + wanted / 8, why);
    if (!made) return;
    recorder_.offer(made.get());
    if (capture_) retire(nullptr, std::move(capture_));
    capture_ = std::move(made);
    offered_ = true;
    delivered_ = false;
    role_ = -1;
}

// What the host's project holds is the capture, as if it had just been recorded.
void Session::restore_capture() {
    const Kept kept = saved().captured;
    recorder_.offer(nullptr);
    if (capture_) retire(nullptr, std::move(capture_));
    delivered_ = offered_ = false;
    if (!kept.text) {
        link_.ask("/segue/region/clear", {lane_, roles[role_ < 0 ? values_.whole(p_mode) : role_]}, ask_seconds);
        return;
    }
    std::string why;
    capture_ = kept.capture(first_capture_number + number_ * 100 + captures_++ % 100, why);
    role_ = kept.role;
}

void Session::hand_over_capture() {
    if (monotonic_ns() < capture_ns_) return;
    const bool fresh = role_ < 0;
    const int role = fresh ? values_.whole(p_mode) : role_;
    if (fresh) round_to_24_bits(*capture_);
    const Answer answer = link_.ask("/segue/region/capture", {lane_, roles[role], capture_->name()}, slow_seconds);
    const bool refused = answer.kind == Answer::refused && ++refusals_ < refusals_max;  // it may only be busy
    if (answer.kind == Answer::none || refused) {
        capture_ns_ = monotonic_ns() + second_ns;
        return;
    }
    delivered_ = true;
    refusals_ = 0;
    role_ = role;
    if (answer.good()) {
        if (fresh) keep_capture();
        show(p_captured_bars, answer.values.number(3));
    }
    if (values_.on(p_follow)) {
        capture_->clear();
        delivered_ = false;
        role_ = -1;
    }
}

// From here on it is saved with the host's project.
void Session::keep_capture() {
    Kept kept;
    kept.role = role_;
    kept.sample_rate_hz = capture_->sample_rate_hz();
    kept.channels = capture_->channels();
    kept.text = Kept::write(*capture_, kept.role);
    std::lock_guard<std::mutex> guard(texts_);
    saved_.captured = kept;
}

// -- what comes in ------------------------------------------------------------------------------------

void Session::heard(const Message& message, bool from_engine) {
    if (!from_engine) {
        other_said(message);
        return;
    }
    if (message.whole(0) != lane_) return;
    if (message.address == "/segue/event/lane") {
        const std::string state = message.text(1);
        if ((state == "ended" || state == "failed" || state == "idle") && playing_) {
            playing_ = false;
            ended_ = state == "ended";
            show(p_engine, engine_connected);
            if (state == "failed") generating_ = false;
            if (state == "failed") refused_ns_ = monotonic_ns() + second_ns;
        }
    } else if (message.address == "/segue/event/region") {
        show(p_heard_tempo, message.number(2));
    }
}

// Messages of other programs on this machine: what a plugin's own window would offer.
void Session::other_said(const Message& message) {
    if (message.address == "/segue/plugin/prompt" && message.values.size() == 1 && message.values[0].tag == 's') {
        std::lock_guard<std::mutex> guard(texts_);
        saved_.prompt = message.text(0).substr(0, 1000);
    } else if (message.address == "/segue/plugin/engine" && message.values.size() == 1) {
        restore("engine_port", std::to_string(message.whole(0)));
        retry_ns_ = 0;
    } else if (message.address == "/segue/plugin/set" && message.values.size() == 2) {
        for (int i = 0; i < p_inputs; ++i)
            if (message.text(0) == rows[i].symbol) values_.set(i, static_cast<float>(message.number(1)));
    }
}

}  // namespace segue
