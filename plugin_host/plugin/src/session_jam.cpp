// A jam in the DAW: the plan is looked at on every beat, and its orders go to the engine. See session.hpp. MIT.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "session.hpp"

namespace segue {

namespace {

constexpr double ask_seconds = 5.0, slow_seconds = 30.0;
constexpr double plays_db = -50.0;      // RMS from which the player counts as playing
constexpr double shortest_seconds = 0.5;  // of music that is worth listening to
constexpr int64_t seed_step = 7919, seeds = 16777216;
constexpr int jam_capture_number = 900;  // of a hundred; lanes and the captures of songs have other numbers
constexpr int spare_bars = 3;
constexpr double look_seconds = 0.3;
constexpr uint64_t look_ns = 30000000u, given_up_ns = 8000000000u;  // between two looks; a change counts as slow
constexpr unsigned no_roles = 0;
enum { melody = 0, style = 1, go_on = 2 };  // as `roles` counts

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
    if (played.end > played.begin && (!jam_->plan || played.number != jam_->stretch)) restart_jam(played);
    while (jam_->plan && jam_sample(jam_->bar, jam_->beat) <= played.end) {
        const JamMoment now = jam_moment();
        for (const JamOrder& order : jam_->plan->tick(now)) carry_out(order, now);
        if (++jam_->beat >= now.beats_per_bar) {
            jam_->beat = 0;
            ++jam_->bar;
        }
    }
    measure_relistening();
    shared_.jam_next = jam_->plan ? jam_sample(jam_->bar, jam_->beat) : INT64_MIN;
    shared_.jam_seen = played.end;
    shared_.jam_stretch = played.number;
    show_jam(played.end);
}

// Memory for what it listens to, with some room for a slower tempo; the plan begins with the first bar of it.
void Session::begin_jam() {
    end_jam();
    if (playing_) link_.ask(address::lane_stop, {lane_, next_bar}, ask_seconds);
    generating_ = playing_ = ended_ = false;
    jam_ = std::make_unique<Jam>();
    jam_->mode = values_.whole(p_jam);
    jam_->bars_knob = values_.whole(p_capture_bars);
    for (int role = 0; role < n_roles; ++role)
        if (saved().captured[role].text) jam_->has |= 1u << role;
    make_jam_memory();
}

void Session::make_jam_memory() {
    const JamPlan plan(static_cast<JamMode>(jam_->mode), jam_->bars_knob);
    const int bars = std::max({2 * plan.bars(), plan.bars() + 4, 8}) + spare_bars;
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
    jam_->stretch = played.number;
    jam_->grid = played.grid;
    jam_->first_bar = played.grid.next_bar(over ? jam_->over.end : played.begin);
    jam_->start = played.grid.bar_start(jam_->first_bar);
    jam_->bar = jam_->beat = 0;
    jam_->loop.clear();
    jam_->late = values_.get(p_underruns);
    jam_->on_its_way = {};
    jam_->plan.emplace(static_cast<JamMode>(jam_->mode), jam_->bars_knob);
}

void Session::end_jam() {
    show(p_jam_now, phase_none);
    show(p_jam_change, 0);
    shared_.jam_next = shared_.jam_seen = INT64_MIN;
    if (!jam_) return;
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

double Session::jam_beats(int64_t bar, int beat) const {
    return static_cast<double>(jam_->grid.bar_start_beats(jam_->first_bar + bar)) + beat;
}

int64_t Session::jam_sample(int64_t bar, int beat) const { return jam_->grid.sample_at(jam_beats(bar, beat)); }

JamMoment Session::jam_moment() {
    JamMoment now;
    now.beats_per_bar = static_cast<double>(jam_->grid.beats_per_bar());
    now.beats = static_cast<double>(jam_->bar) * now.beats_per_bar + jam_->beat;
    now.lead_beats = jam_->pace.lead_beats(jam_->grid.tempo_bpm);
    now.every_bars = jam_->pace.every_bars(jam_->plan->bars(), now.beats_per_bar, jam_->grid.tempo_bpm);
    now.tempo_bpm = jam_->grid.tempo_bpm;
    now.playing = player_plays(jam_sample(jam_->bar, jam_->beat));
    return now;
}

// Whether there was sound in the input in the beat before a position.
bool Session::player_plays(int64_t end) {
    const auto beat = static_cast<int64_t>(jam_->grid.samples_of(1));
    std::vector<float> audio(static_cast<size_t>(beat * processor_.channels()));
    if (!jam_->memory->read(end - beat, end, false, audio.data())) return false;
    double power = 0;
    for (float value : audio) power += static_cast<double>(value) * value;
    return 10 * std::log10(std::max(power / static_cast<double>(audio.size()), 1e-12)) > plays_db;
}

// -- orders -------------------------------------------------------------------------------------------

void Session::carry_out(const JamOrder& order, const JamMoment& now) {
    const uint64_t began = monotonic_ns();
    const std::string at = "bar " + std::to_string(jam_->first_bar + order.bar);
    if (order.kind == JamOrder::stop) {
        jam_->memory->end_at(jam_sample(order.bar, 0));
        link_.ask(address::lane_stop, {lane_, at}, ask_seconds);
        return;
    }
    if (order.kind == JamOrder::repeat) {
        const int64_t from = jam_sample(order.bar, 0), until = jam_sample(order.bar + order.bars, 0);
        jam_->memory->repeat(from, until, from - jam_sample(0, 0) - jam_offset(order.begin));
        return;
    }
    if (order.kind == JamOrder::relisten) {
        const float late = values_.get(p_underruns);
        jam_->pace.listened(late != jam_->late);
        jam_->late = late;
    }
    const double allowed = (now.bar_beats(order.bar) - now.beats) * 60 / jam_->grid.tempo_bpm;
    const int64_t bar = order.kind == JamOrder::relisten ? relisten(order, at) : answer(order, at);
    if (bar < 0) return;
    if (order.kind != JamOrder::relisten) jam_->pace.took(static_cast<double>(monotonic_ns() - began) / 1e9);
    if (bar <= order.bar) return;
    jam_->pace.was_late(allowed);
    if (order.kind != JamOrder::relisten) jam_->plan->moved(order.bar, bar);
}

// Samples from the jam's first bar line to so many beats behind it.
int64_t Session::jam_offset(double beats) const {
    return jam_->grid.sample_at(jam_beats(0, 0) + beats) - jam_sample(0, 0);
}

// New music from a bar on: what it listens to, its seed, the play. Returns its bar, -1 where it was refused.
int64_t Session::answer(const JamOrder& order, const std::string& at) {
    const unsigned wanted = order.kind == JamOrder::answer ? 1u << go_on
                          : order.kind == JamOrder::vary   ? 1u << go_on | 1u << melody
                                                           : jam_reference();
    unsigned gone = jam_->has;
    jam_->has = no_roles;
    if (const auto capture = jam_capture(order)) {
        for (int role = 0; role < n_roles; ++role)
            if (wanted & 1u << role && hand_over(role, *capture, at).good()) jam_->has |= 1u << role;
    }
    gone &= ~jam_->has;
    for (int role = 0; role < n_roles; ++role)
        if (gone & 1u << role) link_.ask(address::region_clear, {lane_, roles[role], at}, ask_seconds);
    const int64_t seed = (jam_seed() + seed_step * jam_->plays++) % seeds;
    if (!set_value(lane_parameter::seed.name, static_cast<double>(seed))) return -1;
    const int bars = order.kind == JamOrder::answer ? order.bars : 0;
    const Answer played = link_.ask(address::lane_play, {lane_, at, bars}, slow_seconds);
    if (!played.good()) {
        refuse(played);
        return -1;
    }
    refusal_ = silent_looks_ = 0;
    playing_ = true;
    ended_ = resuming_ = sounding_ = false;
    end_beats_ = bars > 0 ? played.values.number(0) + bars * static_cast<double>(jam_->grid.beats_per_bar()) : -1;
    show(p_seed, static_cast<double>(played.values.whole(2)));
    const int64_t bar = jam_bar_of(played.values.number(0));
    jam_->memory->allow(jam_sample(bar, 0), bars > 0 ? jam_sample(bar + bars, 0) : INT64_MAX);
    return bar;
}

// Another melody or style for the music that plays.
int64_t Session::relisten(const JamOrder& order, const std::string& at) {
    const auto capture = jam_capture(order);
    const int role = jam_reference() == 1u << style ? style : melody;
    const uint64_t began = monotonic_ns();
    const Answer before = link_.ask(address::lane_status, {lane_}, ask_seconds);
    if (!capture || !before.good()) return -1;
    const Answer given = hand_over(role, *capture, at);
    if (!given.good()) return -1;
    jam_->has |= 1u << role;
    jam_->on_its_way = {began, 0, 0, before.values.whole(2), given.values.number(5)};
    return jam_bar_of(given.values.number(5));
}

// How long it took until the music behind its beat was made anew, without the time until the engine came to that beat.
void Session::measure_relistening() {
    auto& way = jam_->on_its_way;
    const uint64_t now = monotonic_ns();
    if (!way.given_ns || now - way.asked_ns < look_ns) return;
    way.asked_ns = now;
    const Answer lane = link_.ask(address::lane_status, {lane_}, look_seconds);
    if (!lane.good()) return;
    const double written = lane.values.number(1);
    if (!way.reached_ns && written >= way.beats) way.reached_ns = monotonic_ns();
    const bool remade = lane.values.whole(2) != way.plan_revision && written > way.beats;
    if (!remade && lane.values.text(0) == lane_state::playing && now - way.given_ns < given_up_ns) return;
    const uint64_t from = way.reached_ns ? way.reached_ns : way.given_ns;
    jam_->pace.took(static_cast<double>(monotonic_ns() - from) / 1e9);
    way = {};
}

int64_t Session::jam_bar_of(double beats) const {
    return std::llround((beats - jam_beats(0, 0)) / static_cast<double>(jam_->grid.beats_per_bar()));
}

// What the accompaniment follows: by the Mode parameter the player's style, else her melody.
unsigned Session::jam_reference() const { return values_.whole(p_mode) == style ? 1u << style : 1u << melody; }

int64_t Session::jam_seed() {
    if (jam_->seed < 0) {
        const int take = values_.whole(p_take);
        jam_->seed = take > 0 ? take : static_cast<int64_t>(monotonic_ns() / 1000 % static_cast<uint64_t>(seeds));
    }
    return jam_->seed;
}

// The music that an order listens to, as a capture; nothing where it is too short, no longer known, or there is no
// memory. A loop is kept for its later passes.
std::unique_ptr<Capture> Session::jam_capture(const JamOrder& order) {
    const int64_t begin = jam_->start + jam_offset(order.begin), end = jam_->start + jam_offset(order.end);
    const int64_t count = end - begin;
    const int rate = processor_.sample_rate_hz(), channels = processor_.channels();
    if (count < static_cast<int64_t>(shortest_seconds * rate)) return nullptr;
    const bool loop = order.kind == JamOrder::vary, kept = loop && !jam_->loop.empty();
    std::string why;
    auto made = Capture::create(jam_capture_number + number_ % 100, rate, channels, count, why);
    if (!made) return nullptr;
    if (kept)
        std::memcpy(made->payload(), jam_->loop.data(), sizeof(float) * jam_->loop.size());
    else if (!jam_->memory->read(begin, end, order.kind == JamOrder::answer, made->payload()))
        return nullptr;
    if (loop && !kept) jam_->loop.assign(made->payload(), made->payload() + count * channels);
    segue_captured about{};
    about.n_samples = static_cast<uint64_t>(count);
    about.position_samples = begin;
    about.start_beats = jam_beats(0, 0) + order.begin;
    about.tempo_bpm = jam_->grid.tempo_bpm;
    about.signature_numerator = static_cast<uint32_t>(jam_->grid.numerator);
    about.signature_denominator = static_cast<uint32_t>(jam_->grid.denominator);
    made->put_whole(about);
    return made;
}

// Music that is too quiet is left out, and no fault.
Answer Session::hand_over(int role, const Capture& capture, const std::string& at) {
    const Answer answer = link_.ask(address::region_capture, {lane_, roles[role], capture.name(), at}, slow_seconds);
    const bool quiet = answer.code == error_code::region_silent || answer.code == error_code::region_too_short;
    if (!answer.good() && !quiet) refuse(answer);
    return answer;
}

void Session::show_jam(int64_t position) {
    if (!jam_->plan) {
        show(p_jam_now, phase_count_in);
        return;
    }
    const int64_t bar = jam_->plan->change_bar();
    const bool before = position < jam_->start;
    const double change = before ? jam_beats(0, 0) : jam_beats(bar, 0);
    const double left = change - static_cast<double>(jam_->grid.beats_at(position));
    show(p_jam_now, before ? phase_count_in : jam_->plan->phase());
    show(p_jam_change, before || bar >= 0 ? std::max(0.0, left) : 0.0);
}

}  // namespace segue
