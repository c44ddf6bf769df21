// Peaks of what was heard lately, for the window: a column for each sixteenth note, and a level. MIT.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <string>

namespace segue {

// A peak from 0 to 1 as one character: '0' is silence, the next 60 are steps of 1 dB up to full scale.
inline char peak_letter(float peak) {
    const float steps = peak > 1e-3f ? 60.0f + 20.0f * std::log10(peak) : 0.0f;
    return static_cast<char>('0' + std::clamp(static_cast<int>(std::lround(steps)), 0, 60));
}

class SoundTrace {
public:
    static constexpr int columns = 128, per_beat = 4;  // eight bars of four beats
    enum Sound { input, music, n_sounds };

    // A block's peak at a column.  [audio]
    void add(Sound sound, int64_t column, float peak, bool moves) {
        raise(level_[sound], peak);
        if (!moves) return;
        const int64_t last = last_[sound].load(std::memory_order_relaxed);
        auto& now = peaks_[sound][column & (columns - 1)];
        if (column != last) now.store(0.0f, std::memory_order_relaxed);
        raise(now, peak);
        last_[sound].store(column, std::memory_order_relaxed);
    }
    // The newest column of a sound.  [any]
    int64_t last(Sound sound) const { return last_[sound].load(std::memory_order_relaxed); }
    // Its columns as letters, the oldest first.  [any]
    std::string text(Sound sound) const {
        std::string letters;
        for (int i = 1; i <= columns; ++i)
            letters += peak_letter(peaks_[sound][(last(sound) + i) & (columns - 1)].load(std::memory_order_relaxed));
        return letters;
    }
    // The highest peak since it was asked last.  [session]
    float level(Sound sound) { return level_[sound].exchange(0.0f, std::memory_order_relaxed); }

private:
    static void raise(std::atomic<float>& value, float peak) {
        if (peak > value.load(std::memory_order_relaxed)) value.store(peak, std::memory_order_relaxed);
    }
    std::atomic<float> peaks_[n_sounds][columns]{}, level_[n_sounds]{};
    std::atomic<int64_t> last_[n_sounds]{};
};

// The highest magnitude of n samples that lie `step` apart.
inline float peak_of(const float* samples, int64_t n, int step = 1) {
    float peak = 0.0f;
    for (int64_t i = 0; i < n; ++i) peak = std::max(peak, std::fabs(samples[i * step]));
    return peak;
}

}  // namespace segue
