// Fades, and the last bar heard, stored by phase: plugin_host/playback/fade.py and held_bar.py in C++. MIT.
#pragma once
#include <vector>

#include "grid.hpp"

namespace segue {

// At most one fade of `n_fade` samples at a time; `apply` every block in order. Interleaved float32.
class Fade {
public:
    Fade(int n_fade, int channels);
    bool running() const { return done_ < n_; }
    float* across();  // equal-power fade; the caller fills the returned array with the audio that fades out  [audio]
    void let_go();    // fade into silence: the newest samples are played backwards  [audio]
    void join();      // continue with other music; only the step between the two is faded  [audio]
    void apply(float* out, int n);  // [audio]
    int size() const { return n_; }
    const std::vector<float>& fall() const { return fall_; }

private:
    int n_, channels_, done_;
    bool equal_power_ = false;
    std::vector<float> fall_, rise_, tail_, last_;
};

// One bar of interleaved float32; a bar longer than 64 s is not held.
class HeldBar {
public:
    HeldBar(int sample_rate_hz, int channels, const std::vector<float>& fall);
    ~HeldBar();
    HeldBar(const HeldBar&) = delete;
    HeldBar& operator=(const HeldBar&) = delete;

    void measure(int64_t bar_samples) { bar_samples_ = bar_samples; }  // [audio]
    bool whole() const { return bar_samples_ > 1 && bar_samples_ - 1 <= stored_; }
    void forget() { stored_ = 0; heard_known_ = false; }
    // Complete a bar from the music heard up to `phase`, smooth where it `breaks` off; false with less than a unit.
    // [audio]
    bool complete(int64_t phase, int64_t unit_samples, bool breaks);
    // Store the output at that phase, but no silence of a muted lane: the music before it is held. `in_bar`: the
    // output follows the stored samples before it; returns the same for the next output.  [audio]
    bool store(const float* out, int n, int64_t phase, int64_t unit_samples, bool silent, bool in_bar);
    void keep(const float* out, int n, int64_t phase);  // store music heard at that phase  [audio]
    void mend(const float* out, int n, int64_t phase);  // store the joint where the music stopped  [audio]
    void join(int64_t start, int64_t n);  // fade a step in the store  [audio]
    void play(float* out, int n, int64_t phase) const;  // [audio]
    void retime(const Grid& old, const Grid& now);      // [audio]
    // Map the pages of a bar of that length before the audio thread uses them.  [session]
    void populate(int64_t bar_samples);

private:
    void lay(int64_t source, int64_t n_source, int64_t target, int64_t after);
    void copy(float* to, int64_t target, const float* from, int64_t source, int64_t n) const;

    int64_t length_;  // samples of a store
    int channels_;
    const std::vector<float>& fall_;
    float *store_, *spare_;
    float* mapped_;  // both stores; pages are used only as needed
    Grid heard_on_;  // grid of the bar as it was heard, which is in the spare store
    bool heard_known_ = false;
    int64_t bar_samples_ = 0, stored_ = 0, populated_ = 0;
};

}  // namespace segue
