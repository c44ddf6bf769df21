// The host's time: see host_time.hpp. MIT.
#include "host_time.hpp"

#include <algorithm>

namespace segue {

SEGUE_THREAD_LOCAL HostTime host_time_of_block;
SEGUE_THREAD_LOCAL std::atomic<uint64_t>* turned_of_block = nullptr;

namespace {

constexpr int64_t far = int64_t(1) << 50;
constexpr double far_beats = 1e9;
constexpr int patience_blocks = 8;  // some hosts' beats are wrong for a block at a bar line

bool good(double value, double low, double high) { return value >= low && value <= high; }

int power_of_two(int denominator) {
    for (int power = 64; power > 1; power /= 2)
        if (denominator >= power) return power;
    return 1;
}

// A round number of beats if the host meant one: 8, not 7.9999998.
double tidy(double beats) {
    const double round = std::round(beats * 1e6) / 1e6;
    return std::fabs(beats - round) < 1e-6 ? round : beats;
}

}  // namespace

const Transport& HostClock::follow(const HostTime& time, int n) {
    const int64_t position = std::min(std::max(time.position_samples, -far), far);
    const bool jumped = !known_ || position != expected_;
    transport_.playing = time.playing;
    transport_.recording = time.recording && time.playing;
    transport_.position_samples = position;
    set_line(time, jumped);
    transport_.looping = time.looping && good(time.loop_start_beats, -far_beats, far_beats) &&
                         good(time.loop_end_beats, -far_beats, far_beats) && time.loop_end_beats > time.loop_start_beats;
    transport_.loop_start_beats = time.loop_start_beats;
    transport_.loop_end_beats = time.loop_end_beats;
    expected_ = position + (time.playing ? n : 0);
    known_ = true;
    return transport_;
}

void HostClock::set_line(const HostTime& time, bool jumped) {
    Grid& grid = transport_.grid;
    const double tempo = good(time.tempo_bpm, 10, 999) ? time.tempo_bpm : 120.0;
    const int numerator = std::min(std::max(time.numerator, 1), 64), denominator = power_of_two(time.denominator);
    const bool changed = tempo != grid.tempo_bpm || numerator != grid.numerator || denominator != grid.denominator;
    const int64_t position = transport_.position_samples;
    const bool beats_known = time.has_beats && good(time.beats, -far_beats, far_beats);
    const long double given = beats_known ? time.beats : grid.beats_at(position);
    const long double off = grid.beats_at(position) - given;
    // Two samples or a thousandth of a beat: less is the host's rounding.
    const long double small = std::max(0.001L, 2 * tempo / (60.0L * grid.sample_rate_hz));
    disagreed_ = std::fabs(off) > small ? disagreed_ + 1 : 0;
    if (!changed && disagreed_ != patience_blocks && !(jumped && disagreed_)) return;
    Grid now = grid;
    now.tempo_bpm = tempo;
    now.numerator = numerator;
    now.denominator = denominator;
    now.anchor_samples = 0;
    now.anchor_beats = 0.0;
    if (std::fabs(now.beats_at(position) - given) > small / 4) {  // else one tempo from the start: the anchor stays at 0
        now.anchor_samples = position;
        now.anchor_beats = tidy(static_cast<double>(given));
    }
    now.bar_origin_beats = 0.0;
    if (beats_known && good(time.bar_beats, -far_beats, far_beats)) {
        const double phase = std::fmod(time.bar_beats, static_cast<double>(now.beats_per_bar()));
        const bool whole = std::fabs(phase) < 1e-4 || std::fabs(std::fabs(phase) - now.beats_per_bar()) < 1e-4;
        now.bar_origin_beats = whole ? 0.0 : tidy(time.bar_beats);
    }
    grid = now;
    disagreed_ = 0;
}

const Transport& HostClock::own(bool running, double tempo_bpm, int n) {
    HostTime time;
    time.playing = running;
    time.position_samples = known_ ? expected_ : 0;
    time.tempo_bpm = tempo_bpm;
    const Grid& grid = transport_.grid;
    if (known_ && tempo_bpm != grid.tempo_bpm) {
        time.has_beats = true;
        time.beats = static_cast<double>(grid.beats_at(time.position_samples));
    }
    return follow(time, n);
}

}  // namespace segue
