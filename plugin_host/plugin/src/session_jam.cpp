// A jam in the DAW: the plan is looked at on every beat; its orders wait for the engine. See session.hpp. MIT.
#include <algorithm>
#include <cmath>

#include "session.hpp"

namespace segue {

namespace {

constexpr double ask_seconds = 5.0;
constexpr double plays_db = -50.0;  // RMS from which the player counts as playing
constexpr int spare_bars = 3;

}  // namespace

// Begin, follow or end the jam as the knobs say; every beat that has passed is looked at once.
void Session::follow_jam() {
    const int mode = values_.whole(p_jam);
    if (mode == jam_off || !values_.on(p_generate)) {
        end_jam();
        return;
    }
    if (!settled() || shared_.blocks <= blocks_at_open_) return;
    if (!jam_ || jam_->mode != mode || jam_->bars_knob != values_.whole(p_capture_bars)) begin_jam();
    JamMemory::Stretch played;
    if (!jam_->memory->look(played)) return;
    if (played.end > played.begin && (!jam_->plan || played.number != jam_->played.number)) restart_jam(played);
    if (!jam_->plan) {
        show(p_jam_now, phase_count_in);
        shared_.jam_seen = played.end;
        shared_.jam_stretch = played.number;
    }
    advance_jam();
    while (jam_->plan && !jam_->orders.empty()) {
        const SessionJam::Due due = jam_->orders.front();
        jam_->orders.pop_front();
        carry_out(due.order, due.now);
        advance_jam();
    }
    measure_relistening();
    if (!jam_->plan || !jam_->orders.empty()) return;
    shared_.jam_next = jam_sample(jam_->bar, jam_->beat);
    shared_.jam_seen = jam_->played.end;
    shared_.jam_stretch = jam_->played.number;
}

// Look at all beats that have passed, and take presses; also while an order waits for the engine, and without one.
void Session::advance_jam() {
    JamMemory::Stretch played;
    const bool there = jam_ && jam_->plan && jam_->memory && jam_->memory->look(played) &&
                       played.number == jam_->played.number;
    if (there) follow_cycle(played);
    take_presses();
    if (!there) return;
    while (jam_sample(jam_->bar, jam_->beat) <= played.end) {
        const JamMoment now = jam_moment();
        for (const JamOrder& order : jam_->plan->tick(now)) {
            lay(order);
            const bool laid = order.kind == JamOrder::repeat || order.kind == JamOrder::release;
            if (!laid && !lost_) jam_->orders.push_back({order, now});
        }
        if (jam_->orders.empty()) learn_leak();
        if (++jam_->beat >= now.beats_per_bar) {
            jam_->beat = 0;
            ++jam_->bar;
        }
    }
    jam_->memory->tidy();
    show_jam(played.end);
}

// The host's cycle has led back: bars count on. Music that is told for a bar which the host does not reach now is
// ordered again; of a turn whose end the cycle had hidden, the engine is told the end.
void Session::follow_cycle(const JamMemory::Stretch& played) {
    const bool led_back = played.shift_bars != jam_->played.shift_bars;
    jam_->played = played;
    auto& told = jam_->told;
    if (!led_back || told.bar < 0) return;
    const JamMoment now = jam_moment();
    const bool elsewhere = told.host_bar != host_bar(told.bar), to_come = told.bar >= now.bar();
    if (elsewhere && to_come) {
        jam_->plan->moved(told.bar, std::max(told.bar, now.reachable(now.lead_beats)), false);
        told.bar = -1;
    } else if (told.until > now.bar() && told.until <= now.bar() + played.cycle_bars) {
        jam_->orders.push_back({{JamOrder::stop, told.until}, now});
    }
}

// Memory for what it listens to, with some room for a slower tempo; the plan begins with the first bar of it.
void Session::begin_jam() {
    end_jam();
    if (playing_) link_.ask(address::lane_stop, {lane_, next_bar}, ask_seconds);
    generating_ = playing_ = ended_ = false;
    jam_ = std::make_unique<SessionJam>();
    jam_->mode = values_.whole(p_jam);
    jam_->bars_knob = values_.whole(p_capture_bars);
    jam_->leak = std::make_unique<JamLeak>(processor_.sample_rate_hz(), processor_.channels());
    for (int role = 0; role < n_roles; ++role)
        if (saved().captured[role].text) jam_->has |= 1u << role;
    make_jam_memory();
}

void Session::make_jam_memory() {
    const JamPlan plan(static_cast<JamMode>(jam_->mode), jam_->bars_knob);
    const int bars = std::max({4 * plan.bars(), plan.bars() + 4, 12}) + spare_bars;
    const double seconds = bars * shared_.beats_per_bar * 60 / shared_.tempo;
    const int64_t most = saved_values_max / processor_.channels();
    const auto wanted = static_cast<int64_t>(seconds * processor_.sample_rate_hz());
    if (jam_->memory && jam_->memory->capacity() >= std::min(wanted, most)) return;
    auto made = std::make_unique<JamMemory>(std::clamp<int64_t>(wanted * 5 / 4, 1 << 16, most), processor_.channels());
    shared_.memory.store(made.get());
    if (jam_->memory) retire(nullptr, nullptr, std::move(jam_->memory));
    jam_->memory = std::move(made);
}

// The jam begins, or the host has jumped or changed its tempo: the plan begins with the next bar. What was played for
// an engine that is gone is over.
void Session::restart_jam(const JamMemory::Stretch& played) {
    const bool over = played.number == jam_->over.number;
    if (jam_->plan && playing_) link_.ask(address::lane_stop, {lane_, next_bar}, ask_seconds);
    resuming_ = false;  // the bar of a lost engine is held no longer
    make_jam_memory();
    jam_->memory->silence();
    jam_->played = played;
    const int64_t begin = (over ? jam_->over.end : played.begin) - played.shift_samples;
    jam_->first_bar = played.grid.next_bar(begin) + played.shift_bars;
    jam_->bar = jam_->beat = 0;
    jam_->loops.clear();
    jam_->orders.clear();
    jam_->told = {};
    jam_->late = values_.get(p_underruns);
    jam_->on_its_way = {};
    jam_->plan.emplace(static_cast<JamMode>(jam_->mode), jam_->bars_knob);
}

void Session::end_jam() {
    show(p_jam_now, phase_none);
    show(p_jam_change, 0);
    shared_.jam_next = shared_.jam_seen = INT64_MIN;
    if (!jam_) return;
    jam_->plan.reset();
    if (playing_ && !lost_) link_.ask(address::lane_stop, {lane_, next_bar}, ask_seconds);
    playing_ = ended_ = generating_ = false;
    shared_.memory.store(nullptr);
    retire(nullptr, nullptr, std::move(jam_->memory));
    for (int role = 0; role < n_roles; ++role) {
        if (!(jam_->has & 1u << role)) continue;
        if (saved().captured[role].text)
            to_deliver_ |= 1u << role;  // the song's own again
        else if (!lost_)
            link_.ask(address::region_clear, {lane_, roles[role], next_bar}, ask_seconds);
    }
    jam_.reset();
}

// -- where it is --------------------------------------------------------------------------------------

// The host's beats and bars, in its present pass of the cycle; a bar behind the cycle's end lies in the next pass.
double Session::jam_beats(int64_t bar, double beat) const {
    return static_cast<double>(jam_->played.grid.bar_start_beats(jam_->first_bar + bar - jam_->played.shift_bars)) + beat;
}

int64_t Session::host_bar(int64_t bar) const {
    const JamMemory::Stretch& played = jam_->played;
    const int64_t at = jam_->first_bar + bar - played.shift_bars, end = played.cycle_first + played.cycle_bars;
    const bool ahead = played.cycle_bars > 0 && played.end - played.shift_samples < played.grid.bar_start(end);
    return ahead && at >= end ? played.cycle_first + (at - end) % played.cycle_bars : at;
}

// A bar of the jam from a beat of the engine's, which lies in this pass of the cycle or a later one: of an order that
// was late, behind its bar.
int64_t Session::jam_bar_of(double beats, const JamOrder& order, bool late) const {
    const JamMemory::Stretch& played = jam_->played;
    const auto from_first = beats - static_cast<double>(played.grid.bar_start_beats(0));
    int64_t bar = std::llround(from_first / static_cast<double>(played.grid.beats_per_bar())) + played.shift_bars - jam_->first_bar;
    while (played.cycle_bars > 0 && (bar < jam_->bar || (late && bar <= order.bar))) bar += played.cycle_bars;
    return bar;
}

// The position in the memory of a beat of a bar.
int64_t Session::jam_sample(int64_t bar, double beat) const {
    return jam_->played.grid.sample_at(jam_beats(bar, beat)) + jam_->played.shift_samples;
}

// Samples from the jam's first bar line to so many beats behind it.
int64_t Session::jam_offset(double beats) const { return jam_sample(0, beats) - jam_sample(0, 0); }

JamMoment Session::jam_moment() {
    JamMoment now;
    now.beats_per_bar = static_cast<double>(jam_->played.grid.beats_per_bar());
    now.beats = static_cast<double>(jam_->bar) * now.beats_per_bar + jam_->beat;
    now.lead_beats = jam_->pace.lead_beats(jam_->played.grid.tempo_bpm);
    now.every_bars = jam_->pace.every_bars(jam_->plan->bars(), now.beats_per_bar, jam_->played.grid.tempo_bpm);
    now.tempo_bpm = jam_->played.grid.tempo_bpm;
    now.playing = player_plays(jam_sample(jam_->bar, jam_->beat));
    return now;
}

// Whether the player sounds in the beat before a position.
bool Session::player_plays(int64_t end) {
    const auto beat = static_cast<int64_t>(jam_->played.grid.samples_of(1));
    std::vector<float> audio(static_cast<size_t>(beat * processor_.channels()));
    if (!jam_->memory->read(end - beat, end, false, audio.data())) return false;
    jam_->leak->clean(*jam_->memory, end - beat, end, audio.data());
    double power = 0;
    for (float value : audio) power += static_cast<double>(value) * value;
    return 10 * std::log10(std::max(power / static_cast<double>(audio.size()), 1e-12)) > plays_db;
}

// One part of what was played up to this beat, where no order waits for it: a part takes tens of milliseconds.
void Session::learn_leak() {
    if (jam_->beat == 0 || jam_->leak->eager())
        jam_->leak->learn_latest(*jam_->memory, jam_sample(jam_->bar, jam_->beat));
}

void Session::show_jam(int64_t position) {
    const int64_t bar = jam_->plan->change_bar();
    const bool before = position < jam_sample(0, 0);
    const double change = before ? jam_beats(0, 0) : jam_beats(bar, 0);
    const double left = change - static_cast<double>(jam_->played.grid.beats_at(position - jam_->played.shift_samples));
    show(p_jam_now, before ? phase_count_in : jam_->plan->phase());
    show(p_jam_change, before || bar >= 0 ? std::max(0.0, left) : 0.0);
}

}  // namespace segue
