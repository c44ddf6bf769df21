// Sends is plugin's parameters to the engine, and starts and ends its stream. See session.hpp. MIT.
#include <cmath>
#include <cstring>

#include "session.hpp"

namespace segue {

namespace {

constexpr double ask_seconds = 5.0, slow_seconds = 30.0;
constexpr uint64_t second_ns = 1000000000u, settled_ns = second_ns / 5;
constexpr int protocol_past = 4;  // the first with the argument `past` of a play

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
    return link_.ask(address::lane_set, {lane_, name, value}, ask_seconds).kind != Answer::none;
}

void Session::tell_preset() {
    preset_ = values_.whole(p_preset);
    if (preset_ > 0) {
        const std::string name = choice(rows[p_preset].choices, preset_);
        link_.ask(address::lane_preset, {lane_, name}, ask_seconds);
    }
    for (int i = 0; i < p_count; ++i) sent_[i] = preset_ > 0 ? rows[i].initial : NAN;  // user's values override it
}

// Without a preset every parameter is sent, so that the engine has the values in the host's window.
void Session::follow_values() {
    if (preset_ != values_.whole(p_preset)) tell_preset();
    for (int i = 0; i < p_count; ++i) {
        const float value = values_.get(i);
        if (!rows[i].engine || sent_[i] == value) continue;
        if (!set_value(rows[i].engine, rows[i].kind == 'i' ? std::round(value) : value)) return;
        sent_[i] = value;
    }
    const std::string prompt = saved().prompt;
    if (prompt != sent_prompt_) {
        link_.ask(address::lane_prompt, {lane_, prompt}, slow_seconds);
        sent_prompt_ = prompt;  // a refused prompt (a model without text) is not sent again
    }
}

// -- playing ------------------------------------------------------------------------------------------

// Whether the host has restored its whole project.
bool Session::settled() const { return monotonic_ns() - restored_ns_ > settled_ns; }

// Whether it has, and the engine has the captures.
bool Session::whole_again() const { return !capture_waits() && !to_deliver_ && settled(); }

// A song was opened: with Generate on, play its take at its position; with Generate off, turning it on makes a new
// take on the next bar.
void Session::opened_or_off() {
    if (!settled()) return;
    if (reopened_.exchange(false)) {
        fresh_ = true;
        generating_ = false;
        cleared_ = -1;
        offs_ = shared_.offs;
    }
    const bool known = shared_.blocks > restored_blocks_;  // LV2 hosts send parameters with the next block
    if (!values_.on(p_generate) && known) fresh_ = false;
}

// Start, end or change the stream by Generate and Take, once the host's position is known.
void Session::follow_generate() {
    const int64_t offs = shared_.offs;
    const bool was_off = offs != offs_;  // it may be on again: a new take
    offs_ = offs;
    if (was_off) fresh_ = false;
    if (was_off || !values_.on(p_generate)) {
        if (generating_ && (playing_ || ended_)) {
            if (shared_.playing)
                link_.ask(address::lane_stop, {lane_, next_bar}, ask_seconds);
            else
                link_.ask(address::lane_stop, {lane_}, ask_seconds);
        }
        if (refusal_ != engine_bad_capture) refusal_ = 0;
        generating_ = playing_ = ended_ = resuming_ = false;
        return;
    }
    if (jam_ || values_.whole(p_jam) != jam_off) return;
    if (shared_.blocks <= blocks_at_open_ || monotonic_ns() < refused_ns_ || !whole_again()) return;
    const bool other_take = generating_ && take_ != values_.whole(p_take);
    if (generating_ && !other_take) return;
    if (other_take) fresh_ = false;
    const double start = saved().start_beats;
    const bool same = fresh_ && start >= 0;
    const int bars = values_.whole(p_bars);
    if (same && bars > 0 && shared_.beats >= start + bars * shared_.beats_per_bar - 1e-6) {
        end_beats_ = start + bars * shared_.beats_per_bar;  // the host is behind its end: see follow_host
        take_ = values_.whole(p_take);
        generating_ = ended_ = true;
        return;
    }
    if (play(same ? start : -1)) generating_ = true;
}

// Play at a beat, which may lie before the host's position, or (-1) on the next bar line; false: try again.
bool Session::play(double at_beats) {
    const int take = values_.whole(p_take), bars = values_.whole(p_bars);
    const int64_t seed = take > 0 ? take : fresh_ || ended_ || lane_ < 0 ? saved().seed : -1;
    if (!set_value(lane_parameter::seed.name, static_cast<double>(seed))) return false;
    asking_ = true;
    sounding_ = false;
    const Value at = at_beats >= 0 ? Value(at_beats) : Value(next_bar);
    std::vector<Value> values{lane_, at, bars};
    if (protocol_ >= protocol_past) values.push_back(1);  // an older engine refuses further arguments
    const Answer answer = link_.ask(address::lane_play, std::move(values), slow_seconds);
    asking_ = false;
    if (!answer.good()) {
        refused_ns_ = monotonic_ns() + second_ns;
        refuse(answer);
        return false;
    }
    refusal_ = silent_looks_ = 0;
    take_ = take;
    playing_ = true;
    ended_ = resuming_ = false;
    fresh_ = true;  // the same music from now on, until a new take is requested
    const double start = answer.values.number(0);
    end_beats_ = bars > 0 ? start + bars * shared_.beats_per_bar : -1;
    {
        std::lock_guard<std::mutex> guard(texts_);
        saved_.start_beats = start;
        saved_.seed = answer.values.whole(2);
    }
    show(p_seed, static_cast<double>(answer.values.whole(2)));
    return true;
}

// The host has jumped: the engine moves a stream that plays; one that has ended is played again.
void Session::follow_host() {
    const uint32_t seek_id = shared_.seek_id;
    if (seek_id == shared_.handled_seek_id || !generating_) return;
    if (!playing_ && ended_ && shared_.beats < end_beats_ - 1e-6) play(saved().start_beats);
}

// Publish which timeline was handled, for a host that renders faster than real time and waits.
void Session::settle() {
    const uint32_t seek_id = shared_.seek_id;
    const bool elsewhere = seek_id != shared_.handled_seek_id && ended_ && shared_.beats < end_beats_ - 1e-6;
    const bool on = values_.on(p_generate), done = !on || jam_ || (generating_ && (playing_ || (ended_ && !elsewhere)));
    shared_.expecting = playing_;
    shared_.handled_on = on;
    shared_.handled_offs = offs_;
    shared_.handled_seek_id = done ? seek_id : ~0u;
}

}  // namespace segue
