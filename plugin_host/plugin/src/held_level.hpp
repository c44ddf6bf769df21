// The gain of a held bar: plugin_host/playback/held_level.py in C++. MIT.
#pragma once
#include <algorithm>
#include <vector>

#include "ring_reader.hpp"

namespace segue {

class HeldLevel {
public:
    explicit HeldLevel(int n_glide) : n_(n_glide), done_(n_glide), glide_(n_glide) {}

    // Use the engine's newest fader; if it is null or of another timeline, the gain stays.  [audio]
    void follow(const Fader* fader, uint32_t seek_id) {
        known_ = fader && fader->known && fader->seek_id == seek_id;
        if (known_) fader_ = *fader;
    }
    // Set the position; returns the samples until the lane's gain changes next.  [audio]
    int64_t at(int64_t position) {
        int64_t next = SEGUE_ENDLESS;
        if (!known_) return next;
        gain_ = fader_.gain;
        for (const Fader::Change& change : fader_.changes)
            if (change.position <= position)
                gain_ = change.gain;
            else if (next == SEGUE_ENDLESS && change.position != SEGUE_ENDLESS)
                next = change.position - position;
        return next;
    }
    // Store the gain with which the ring's music is heard at this position.  [audio]
    void store() {
        if (gain_ > 0) heard_gain_ = gain_;
    }
    // Whether the lane is mute at this position.  [audio]
    bool silent() const { return gain_ == 0; }
    // Whether the held bar is as loud as it was heard.  [audio]
    bool whole() const { return target_ == 1.0 && done_ == n_; }
    // Begin the held bar at this position, at its gain.  [audio]
    void begin() {
        target_ = wanted();
        done_ = n_;
    }
    // Apply this position's gain to n samples of the held bar, with a short glide.  [audio]
    void apply(float* out, int n, int channels) {
        const double wanted_now = wanted();
        if (wanted_now != target_) {
            const double before = done_ < n_ && done_ > 0 ? static_cast<double>(glide_[done_ - 1]) : target_;
            const float by = static_cast<float>(wanted_now - before), from = static_cast<float>(before);
            for (int i = 0; i < n_; ++i) glide_[i] = static_cast<float>(i + 1) / static_cast<float>(n_) * by + from;
            target_ = wanted_now;
            done_ = 0;
        }
        const int gliding = std::min(n, n_ - done_);
        for (int i = 0; i < gliding; ++i)
            for (int c = 0; c < channels; ++c) out[i * channels + c] *= glide_[done_ + i];
        done_ += gliding;
        if (target_ == 1.0) return;
        for (int i = gliding * channels; i < n * channels; ++i) out[i] *= static_cast<float>(target_);
    }

private:
    double wanted() const { return std::min(gain_ / heard_gain_, 1.0); }

    int n_, done_;
    std::vector<float> glide_;  // gains of the running glide
    double target_ = 1.0, gain_ = 1.0, heard_gain_ = 1.0;
    Fader fader_;
    bool known_ = false;
};

}  // namespace segue
