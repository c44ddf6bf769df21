// Samples <-> beats <-> bars: bridge/time/transport.py's Grid in C++. MIT.
//
// Python computes with exact fractions; here a float stands for its shortest decimal as a long double, and values
// within 1e-7 of a half count as a half. A test compares the two on thousands of grids.
#pragma once
#include <cmath>
#include <cstdint>

namespace segue {

inline int64_t nearest(long double value) { return static_cast<int64_t>(std::floor(value + 0.5L + 1e-7L)); }

// The decimal that a double stands for: 93.7, not the binary number next to it.  [audio]
inline long double shortest(double value) {
    long double scale = 1;
    for (int digits = 0; digits < 10; ++digits, scale *= 10) {
        long double decimal = std::round(static_cast<long double>(value) * scale) / scale;
        if (static_cast<double>(decimal) == value) return decimal;
    }
    return value;
}

struct Grid {
    int sample_rate_hz = 48000;
    double tempo_bpm = 120.0;
    int numerator = 4, denominator = 4;
    int64_t anchor_samples = 0;
    double anchor_beats = 0.0;
    double bar_origin_beats = 0.0;

    bool same(const Grid& other) const {
        return same_line(other) && anchor_samples == other.anchor_samples && anchor_beats == other.anchor_beats &&
               bar_origin_beats == other.bar_origin_beats && sample_rate_hz == other.sample_rate_hz;
    }
    bool same_line(const Grid& other) const {
        return tempo_bpm == other.tempo_bpm && numerator == other.numerator && denominator == other.denominator;
    }
    long double beats_per_bar() const { return 4.0L * numerator / denominator; }
    long double samples_of(long double beats) const {
        return beats * 60 * sample_rate_hz / shortest(tempo_bpm);
    }
    long double beats_at(int64_t position) const {
        return shortest(anchor_beats) + (position - anchor_samples) * shortest(tempo_bpm) / (60.0L * sample_rate_hz);
    }
    int64_t sample_at(long double beats) const {
        return anchor_samples + nearest(samples_of(beats - shortest(anchor_beats)));
    }
    long double bar_start_beats(int64_t bar) const { return shortest(bar_origin_beats) + bar * beats_per_bar(); }
    int64_t bar_start(int64_t bar) const { return sample_at(bar_start_beats(bar)); }
    // Bar that owns a sample: bar_start(bar) <= position < bar_start(bar + 1).  [audio]
    int64_t bar_at(int64_t position) const {
        int64_t bar = static_cast<int64_t>(
            std::floor((beats_at(position) - shortest(bar_origin_beats)) / beats_per_bar()));
        if (bar_start(bar + 1) <= position) return bar + 1;
        return bar_start(bar) > position ? bar - 1 : bar;
    }
    int64_t next_bar(int64_t position) const {
        int64_t bar = bar_at(position);
        return bar_start(bar) == position ? bar : bar + 1;
    }
};

// A snapshot of the host, valid for the block whose first sample is `position_samples`.
struct Transport {
    bool playing = false;
    bool recording = false;
    bool looping = false;
    int64_t position_samples = 0;
    Grid grid;
    double loop_start_beats = 0, loop_end_beats = 0;
};

}  // namespace segue
