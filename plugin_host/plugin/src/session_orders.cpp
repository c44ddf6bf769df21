// What a jam's plan orders: bars that go round, music from the engine. See session.hpp. MIT.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "session.hpp"

namespace segue {

namespace {

constexpr double ask_seconds = 5.0, slow_seconds = 30.0, look_seconds = 0.3;
constexpr double shortest_seconds = 0.5;  // of music that is worth listening to
constexpr int64_t seed_step = 7919, seeds = 16777216;
constexpr int jam_capture_number = 900;  // of a hundred; lanes and the captures of songs have other numbers
constexpr size_t loops_most = 8;
constexpr uint64_t look_ns = 30000000u, given_up_ns = 8000000000u;  // between two looks; a change counts as slow
constexpr unsigned no_roles = 0;
enum { melody = 0, style = 1, go_on = 2 };  // as `roles` counts

}  // namespace

// What needs no engine: bars that go round, and where Segue ends.
void Session::lay(const JamOrder& order) {
    const int64_t bar = jam_->first_bar + order.bar;
    if (order.kind == JamOrder::stop) jam_->memory->end_at(bar);
    if (order.kind == JamOrder::release) jam_->memory->end_laps(bar);
    if (order.kind != JamOrder::repeat) return;
    auto lap = std::make_unique<JamLap>();
    lap->from_bar = bar;
    lap->until_bar = order.bars > 0 ? bar + order.bars : INT64_MAX;
    lap->source = jam_sample(0, order.begin);
    lap->length = std::max<int64_t>(1, jam_sample(0, order.end) - lap->source);
    lap->own = order.own;
    const auto known = jam_->loops.find(order.begin);
    const auto size = static_cast<size_t>(lap->length * processor_.channels());
    if (known != jam_->loops.end() && known->second.size() == size) {
        lap->audio = known->second;
        lap->known = lap->length;
    }
    jam_->memory->lay(std::move(lap));
}

void Session::carry_out(const JamOrder& order, const JamMoment& now) {
    const uint64_t began = monotonic_ns();
    const std::string at = "bar " + std::to_string(host_bar(order.bar));
    if (order.kind == JamOrder::stop) {
        link_.ask(address::lane_stop, {lane_, at}, ask_seconds);
        return;
    }
    if (order.kind == JamOrder::relisten) {
        const float late = values_.get(p_underruns);
        jam_->pace.listened(late != jam_->late);
        jam_->late = late;
    }
    const double allowed = (now.bar_beats(order.bar) - now.beats) * 60 / now.tempo_bpm;
    const bool listens = order.kind == JamOrder::relisten;
    const int64_t bar = listens ? relisten(order, at) : answer(order, at);
    if (bar < 0 && !listens && !lost_) {  // it is tried again
        const JamMoment here = jam_moment();
        jam_->plan->moved(order.bar, std::max(order.bar + 1, here.reachable(here.lead_beats)), false);
    }
    if (bar < 0) return;
    if (!listens) jam_->pace.took(static_cast<double>(monotonic_ns() - began) / 1e9);
    if (bar <= order.bar) return;
    jam_->pace.was_late(allowed);
    if (!listens) jam_->plan->moved(order.bar, bar);
}

// New music from a bar on: what it listens to, its seed, the play. Returns its bar, -1 where it was refused.
int64_t Session::answer(const JamOrder& order, const std::string& at) {
    const unsigned wanted = order.kind == JamOrder::answer ? 1u << go_on
                          : order.kind == JamOrder::vary   ? 1u << go_on | 1u << melody
                                                           : jam_reference();
    const uint64_t began = monotonic_ns();
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
    const double handed = static_cast<double>(monotonic_ns() - began) / 1e9;
    const Answer played = link_.ask(address::lane_play, {lane_, at, bars}, slow_seconds);
    if (!played.good()) {
        refuse(played);
        return -1;
    }
    jam_->pace.needs(handed + played.values.number(4));
    refusal_ = silent_looks_ = 0;
    playing_ = true;
    ended_ = resuming_ = sounding_ = false;
    end_beats_ = bars > 0 ? played.values.number(0) + bars * static_cast<double>(jam_->played.grid.beats_per_bar()) : -1;
    show(p_seed, static_cast<double>(played.values.whole(2)));
    const int64_t bar = jam_bar_of(played.values.number(0), order, played.values.whole(3) != 0);
    const int64_t from = jam_->first_bar + bar;
    jam_->memory->end_laps(from);
    jam_->memory->allow(from, bars > 0 ? from + bars : INT64_MAX);
    const JamMemory::Stretch& now = jam_->played;
    const bool hidden = bars > 0 && now.cycle_bars > 0 && host_bar(bar) < now.cycle_first + now.cycle_bars &&
                        host_bar(bar) + bars > now.cycle_first + now.cycle_bars;
    jam_->told = {bar, host_bar(bar), hidden ? bar + bars : -1};
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
    return jam_bar_of(given.values.number(5), order, given.values.whole(6) != 0);
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
    const int64_t begin = jam_sample(0, order.begin), count = jam_sample(0, order.end) - begin;
    const int rate = processor_.sample_rate_hz(), channels = processor_.channels();
    if (count < static_cast<int64_t>(shortest_seconds * rate)) return nullptr;
    const auto size = static_cast<size_t>(count * channels);
    std::string why;
    auto made = Capture::create(jam_capture_number + number_ % 100, rate, channels, count, why);
    if (!made) return nullptr;
    const bool loop = order.kind == JamOrder::vary;
    const auto known = jam_->loops.find(order.begin);
    if (loop && known != jam_->loops.end() && known->second.size() == size)
        std::memcpy(made->payload(), known->second.data(), sizeof(float) * size);
    else if (!hear(order, begin, begin + count, made->payload()))
        return nullptr;
    else if (loop)
        keep_loop(order.begin, made->payload(), size);
    const JamMemory::Stretch& played = jam_->played;
    segue_captured about{};
    about.n_samples = static_cast<uint64_t>(count);
    about.position_samples = begin - played.shift_samples;
    about.start_beats = jam_beats(0, order.begin);
    while (about.start_beats < 0 && played.cycle_bars > 0)
        about.start_beats += static_cast<double>(played.cycle_bars * played.grid.beats_per_bar());
    about.tempo_bpm = played.grid.tempo_bpm;
    about.signature_numerator = static_cast<uint32_t>(played.grid.numerator);
    about.signature_denominator = static_cast<uint32_t>(played.grid.denominator);
    made->put_whole(about);
    return made;
}

void Session::keep_loop(double begin_beats, const float* audio, size_t size) {
    if (jam_->loops.size() >= loops_most) jam_->loops.erase(jam_->loops.begin());
    jam_->loops[begin_beats].assign(audio, audio + size);
}

// The music of positions [begin, end) that an order listens to: Segue's own, or the player's; an answer goes on from both.
bool Session::hear(const JamOrder& order, int64_t begin, int64_t end, float* out) {
    const JamMemory& memory = *jam_->memory;
    if (!memory.read(begin, end, order.own, out)) return false;
    if (order.own) return true;
    jam_->leak->clean(memory, begin, end, out);
    if (order.kind != JamOrder::answer) return true;
    const int channels = processor_.channels();
    std::vector<float> own(static_cast<size_t>((end - begin) * channels));
    if (!memory.read(begin, end, true, own.data())) return false;
    fade_into_the_bar(out, end - begin, channels, jam_->played.grid);
    for (size_t i = 0; i < own.size(); ++i) out[i] += own[i];
    return true;
}

// Music that is too quiet is left out, and no fault.
Answer Session::hand_over(int role, const Capture& capture, const std::string& at) {
    const Answer answer = link_.ask(address::region_capture, {lane_, roles[role], capture.name(), at}, slow_seconds);
    const bool quiet = answer.code == error_code::region_silent || answer.code == error_code::region_too_short;
    if (!answer.good() && !quiet) refuse(answer);
    return answer;
}

}  // namespace segue
