// Fades, and the last bar heard, kept by phase: plugin_host/playback/fade.py and held_bar.py in C++. MIT.
#pragma once
#include <vector>

#include "grid.hpp"

namespace segue {

// At most one fade of `n_fade` samples at a time; `apply` every block in order. Interleaved float32.
class Fade {
public:
    Fade(int n_fade, int channels);
    bool running() const { return done_ < n_; }
    float* across();  // start an equal-power fade; the caller fills what is returned with what fades out  [audio]
    void let_go();    // into silence: the newest samples run on backwards  [audio]
    void join();      // go on with other music, only the step between the two fades  [audio]
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
    // Make a bar, smooth where it `breaks` off, of what was heard up to `phase`; false for less than a unit.  [audio]
    bool complete(int64_t phase, int64_t unit_samples, bool breaks);
    // What is heard at that phase, but no silence of a mute lane: what was heard before it is held. `in_bar`: it
    // follows what lies before it in the store; returned for what comes next.  [audio]
    bool store(const float* out, int n, int64_t phase, int64_t unit_samples, bool silent, bool in_bar);
    void keep(const float* out, int n, int64_t phase);  // music that is heard at that phase  [audio]
    void mend(const float* out, int n, int64_t phase);  // the joint where it stopped  [audio]
    void join(int64_t start, int64_t n);  // let a step of the store fade  [audio]
    void play(float* out, int n, int64_t phase) const;  // [audio]
    void retime(const Grid& old, const Grid& now);      // [audio]
    // Have the pages of a bar of that length there before the audio thread touches them.  [session]
    void populate(int64_t bar_samples);

private:
    void lay(int64_t source, int64_t n_source, int64_t target, int64_t after);
    void copy(float* to, int64_t target, const float* from, int64_t source, int64_t n) const;

    int64_t length_;  // samples a store holds
    int channels_;
    const std::vector<float>& fall_;
    float *store_, *spare_;
    float* mapped_;  // both stores, pages taken only as they are used
    Grid heard_on_;  // the spare store has the bar as it was heard, on this grid
    bool heard_known_ = false;
    int64_t bar_samples_ = 0, stored_ = 0, populated_ = 0;
};

}  // namespace segue
