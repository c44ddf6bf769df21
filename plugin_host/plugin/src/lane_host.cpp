// One plugin instance: see lane_host.hpp. MIT.
#include "lane_host.hpp"

#include <algorithm>
#include <cmath>

namespace segue {

namespace {

constexpr int part_samples = 8192;
constexpr double outrun_seconds = 0.5;  // more than any sound card's buffer
constexpr double outrun_window_seconds = 10.0;  // a sound card's clock drifts by less in that time
constexpr int render_block_samples = 8192;  // a host without a clock with such blocks renders: no sound card has them
constexpr double begin_seconds = 0.2;  // of music ready before our own clock starts
constexpr uint64_t least_patience_ns = 200000000u;
std::atomic<int> instances{0};

}  // namespace

LaneHost::LaneHost(Values& values, int sample_rate_hz, int channels)
    : values_(values), processor_(sample_rate_hz, channels),
      session_(values, shared_, processor_, recorder_, instances++ % 90), clock_(sample_rate_hz),
      wet_(static_cast<size_t>(part_samples) * channels) {
    processor_.prepare();
    HostClock first(sample_rate_hz);  // a function's first use maps pages of the C library: here, not in a block
    HostTime time;
    time.playing = time.has_beats = true;
    time.tempo_bpm = 117.3;
    time.beats = time.bar_beats = 1.7;
    first.follow(time, 1);
}

void LaneHost::run(const float* const* in, float* const* out, int n, const HostTime& time) {
    count_offs();
    count_presses();
    const bool running = values_.on(p_generate) || values_.on(p_capture);
    const bool rendered = outruns_the_clock(n, running) || (running && n >= render_block_samples);
    const bool own = clock_of_our_own(time, rendered);
    const bool offline = time.offline || (rendered && (own || !time.has_beats));
    begun_ = own && running && (begun_ || can_begin(n, offline));
    if (own)
        clock_.own(begun_, values_.get(p_own_tempo), n);
    else
        clock_.follow(time, n);
    for (int done = 0; done < n;) {
        const int count = std::min({n - done, part_samples, until_bar_line(clock_.now(), part_samples)});
        part(in, out, done, count, offline, clock_.now());
        clock_.advance(count);
        done += count;
    }
}

// In a jam a part lies in one bar: whose turn it is changes on bar lines.
int LaneHost::until_bar_line(const Transport& transport, int most) const {
    if (!transport.playing || !shared_.memory.load(std::memory_order_relaxed)) return most;
    const Grid& grid = transport.grid;
    const int64_t left = grid.bar_start(grid.bar_at(transport.position_samples) + 1) - transport.position_samples;
    return static_cast<int>(std::clamp<int64_t>(left, 1, most));
}

// A press is a parameter that goes up; the session puts it down again.
void LaneHost::count_presses() {
    for (int verb = 0; verb < n_jam_verbs; ++verb) {
        const bool down = values_.on(p_play_stop + verb);
        if (down && !pressed_[verb]) shared_.presses.put({verb, clock_.now().position_samples});
        pressed_[verb] = down;
    }
}

// Generate may be off for less than the session's sleep: turning it on again is a new take nevertheless.
void LaneHost::count_offs() {
    const bool on = values_.on(p_generate);
    if (was_on_ && !on) shared_.offs.fetch_add(1);
    was_on_ = on;
}

// Whether our own clock runs: it was requested, or the host reports no time but plays or renders. Audacity reports at
// every block that it plays, at sample 0.
bool LaneHost::clock_of_our_own(const HostTime& time, bool rendered) {
    const bool known = time.has_beats || time.position_samples != last_position_;
    last_position_ = time.position_samples;
    if (known) shared_.timed.store(true, std::memory_order_relaxed);
    const bool own = values_.on(p_clock) || (!known && (time.playing || (rendered && !shared_.timed)));
    shared_.own_time.store(own, std::memory_order_relaxed);
    return own;
}

// Our own clock stands until music and recording are ready: a take begins with its first bar.
bool LaneHost::can_begin(int n, bool offline) {
    const Transport standing = clock_.own(false, values_.get(p_own_tempo), n);
    if (offline) wait_for_engine(n, standing);
    prepare_to_record(standing);
    const int margin = offline ? 0 : static_cast<int>(begin_seconds * processor_.sample_rate_hz());
    return ready(n + margin, standing);
}

// Whether blocks come faster than real time, our own waits excluded: a host that renders without reporting it.
bool LaneHost::outruns_the_clock(int n, bool running) {
    const uint64_t now = monotonic_ns();
    outrun_samples_ += static_cast<uint64_t>(n);
    const double rendered_seconds = static_cast<double>(outrun_samples_) / processor_.sample_rate_hz();
    const double passed = static_cast<double>(now - outrun_from_ns_) / 1e9, lead = rendered_seconds - passed;
    const bool over = passed > outrun_window_seconds, goes_on = running && over && rendered_seconds > 1.5 * passed;
    if (running && lead >= 0 && !over) return lead > outrun_seconds;
    outrun_from_ns_ = now;
    outrun_samples_ = goes_on ? static_cast<uint64_t>(2 * outrun_seconds * processor_.sample_rate_hz()) : 0;
    return goes_on;
}

void LaneHost::part(const float* const* in, float* const* out, int from, int n, bool offline,
                    const Transport& transport) {
    tell(transport);
    if (offline && (values_.on(p_generate) || values_.on(p_capture))) wait_for_engine(n, transport);
    JamMemory* memory = take_memory();
    processor_.process(wet_.data(), n, transport, memory && transport.playing && memory->rests(transport));
    shared_.seek_id = processor_.seek_id();
    values_.set(p_underruns, static_cast<float>(processor_.counters.underruns % 16777216));
    const float* inputs[2];
    for (int c = 0; c < processor_.channels(); ++c) inputs[c] = in[c] + from;
    recorder_.process(inputs, n, transport, values_.on(p_capture), values_.whole(p_capture_bars));
    if (memory && transport.playing) memory->pass(transport, inputs, wet_.data(), n);
    shared_.memory_held.store(nullptr);
    trace(inputs, n, transport);
    mix(in, out, from, n);
}

void LaneHost::tell(const Transport& transport) {
    shared_.position.store(transport.position_samples, std::memory_order_relaxed);
    shared_.playing.store(transport.playing, std::memory_order_relaxed);
    shared_.tempo.store(transport.grid.tempo_bpm, std::memory_order_relaxed);
    shared_.beats.store(static_cast<double>(transport.grid.beats_at(transport.position_samples)),
                        std::memory_order_relaxed);
    shared_.beats_per_bar.store(static_cast<double>(transport.grid.beats_per_bar()), std::memory_order_relaxed);
    shared_.blocks.fetch_add(1, std::memory_order_relaxed);
}

bool LaneHost::ready(int n, const Transport& transport) {
    if (!recorder_.prepared()) return false;
    if (!values_.on(p_generate)) return true;
    if (!shared_.handled_on || shared_.handled_offs != shared_.offs) return false;
    if (shared_.handled_seek_id != processor_.seek_id()) return false;
    if (values_.whole(p_jam) != 0 && !jam_ready()) return false;
    return !shared_.expecting || jam_rests(transport) || processor_.ready(n, transport.position_samples, true);
}

// Whether it is the player's turn: a stream that was requested may lie in the next pass of the host's cycle.
bool LaneHost::jam_rests(const Transport& transport) {
    const JamMemory* memory = take_memory();
    const bool rests = memory && memory->rests_at(transport);
    shared_.memory_held.store(nullptr);
    return rests;
}

// A jam looks at every beat once it has passed; a host that renders faster than the clock waits for it.
bool LaneHost::jam_ready() {
    const JamMemory* memory = take_memory();
    const bool known = memory && shared_.jam_stretch == memory->stretch();  // else it has jumped since it was looked at
    const bool seen = known && shared_.jam_seen >= memory->end();
    shared_.memory_held.store(nullptr);
    return seen || (known && shared_.jam_next > memory->end());
}

// The jam's memory, which stays there until `memory_held` is emptied.
JamMemory* LaneHost::take_memory() {
    JamMemory* memory = shared_.memory.load();
    shared_.memory_held.store(memory);
    return shared_.memory.load() == memory ? memory : nullptr;  // it was just taken away: next block
}

// Only while the host renders faster than real time and may wait: meanwhile it stands at this position for the engine.
void LaneHost::wait_for_engine(int n, const Transport& transport) {
    Transport standing = transport;
    standing.playing = false;
    prepare_to_record(transport);
    const uint64_t began = monotonic_ns();
    if (engines_ != shared_.engines) gave_up_ = false;
    engines_ = shared_.engines;
    while (!caught_up(n, transport, standing)) {
        if (gave_up_ || monotonic_ns() - began > patience_ns_) {
            if (!gave_up_) patience_ns_ = std::max(patience_ns_ / 2, least_patience_ns);
            gave_up_ = true;
            break;
        }
        shared_.blocks.fetch_add(1, std::memory_order_relaxed);
        const timespec pause{0, 1000000};
        nanosleep(&pause, nullptr);
    }
    outrun_from_ns_ += monotonic_ns() - began;
}

void LaneHost::prepare_to_record(const Transport& transport) {
    recorder_.look_ahead(transport, values_.on(p_capture), values_.whole(p_capture_bars));
}

bool LaneHost::caught_up(int n, const Transport& transport, const Transport& standing) {
    processor_.look_ahead(n, standing);
    shared_.seek_id = processor_.seek_id();
    if (!ready(n, transport)) return false;
    gave_up_ = false;
    return true;
}

// Peaks for the window. Before `mix`: `out` may be `in`.
void LaneHost::trace(const float* const* in, int n, const Transport& transport) {
    const int channels = processor_.channels();
    float input = 0.0f;
    for (int c = 0; c < channels; ++c) input = std::max(input, peak_of(in[c], n));
    const float music = peak_of(wet_.data(), static_cast<int64_t>(n) * channels);
    const double beats = shared_.beats.load(std::memory_order_relaxed) * SoundTrace::per_beat;
    const auto column = static_cast<int64_t>(std::floor(beats));
    shared_.trace.add(SoundTrace::input, column, input, transport.playing);
    shared_.trace.add(SoundTrace::music, column, music, transport.playing);
}

void LaneHost::mix(const float* const* in, float* const* out, int from, int n) const {
    const int output = values_.whole(p_output), channels = processor_.channels();
    const float dry = output == 1 ? 0.0f : 1.0f, wet = output == 2 ? 0.0f : 1.0f;
    for (int c = 0; c < channels; ++c) {
        const float* source = in[c] + from;
        float* target = out[c] + from;
        for (int i = 0; i < n; ++i) {
            const float engine = wet * wet_[static_cast<size_t>(i) * channels + c];
            target[i] = dry != 0.0f ? source[i] + engine : engine;
        }
    }
}

}  // namespace segue
