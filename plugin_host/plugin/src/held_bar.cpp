// Fades and the held bar: see held_bar.hpp. MIT.
#include "held_bar.hpp"
#include "segment.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace segue {

namespace {

constexpr int longest_bar_seconds = 64;  // pages are used only as far as bars need them
constexpr int64_t nearly = 100;  // bars that differ by less than 1/100 count as equally long

int64_t beat_start(const Grid& grid, long double beats) { return nearest(grid.samples_of(beats)); }

}  // namespace

Fade::Fade(int n_fade, int channels)
    : n_(n_fade), channels_(channels), done_(n_fade), fall_(n_fade), rise_(n_fade), tail_(n_fade * channels),
      last_(n_fade * channels) {
    const float step = static_cast<float>(M_PI / 2 / n_fade);
    for (int i = 0; i < n_fade; ++i) {
        fall_[i] = std::cos(static_cast<float>(i) * step);
        rise_[i] = std::sin(static_cast<float>(i) * step);
    }
}

float* Fade::across() {
    equal_power_ = true;
    done_ = 0;
    return tail_.data();
}

void Fade::let_go() {
    across();
    for (int i = 0; i < n_; ++i)
        for (int c = 0; c < channels_; ++c) tail_[i * channels_ + c] = last_[(n_ - 1 - i) * channels_ + c];
}

void Fade::join() {
    equal_power_ = false;
    done_ = 0;
}

void Fade::apply(float* out, int n) {
    if (running() && n > 0) {
        if (done_ == 0 && !equal_power_)
            for (int i = 0; i < n_; ++i)
                for (int c = 0; c < channels_; ++c)
                    tail_[i * channels_ + c] = last_[(n_ - 1) * channels_ + c] - out[c];
        const int count = std::min(n, n_ - done_);
        for (int i = 0; i < count; ++i)
            for (int c = 0; c < channels_; ++c) {
                const float fading = tail_[(done_ + i) * channels_ + c] * fall_[done_ + i];
                float& sample = out[i * channels_ + c];
                if (equal_power_) sample *= rise_[done_ + i];
                sample += fading;
            }
        done_ += count;
    }
    const int kept = n_ - n;
    if (kept > 0) {
        std::memmove(last_.data(), last_.data() + n * channels_, sizeof(float) * kept * channels_);
        std::memcpy(last_.data() + kept * channels_, out, sizeof(float) * n * channels_);
    } else {
        std::memcpy(last_.data(), out - kept * channels_, sizeof(float) * n_ * channels_);
    }
}

HeldBar::HeldBar(int sample_rate_hz, int channels, const std::vector<float>& fall)
    : length_(int64_t(longest_bar_seconds) * sample_rate_hz + 1), channels_(channels), fall_(fall) {
    const size_t bytes = 2 * length_ * channels_ * sizeof(float);
    void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    mapped_ = store_ = static_cast<float*>(mapped);
    spare_ = store_ + length_ * channels_;
}

HeldBar::~HeldBar() { munmap(mapped_, 2 * length_ * channels_ * sizeof(float)); }

void HeldBar::populate(int64_t bar_samples) {
    const int64_t wanted = std::min(bar_samples + 1, length_);
    if (wanted <= populated_) return;
    for (float* base : {mapped_, mapped_ + length_ * channels_})
        segue::populate(base + populated_ * channels_, (wanted - populated_) * channels_ * sizeof(float));
    populated_ = wanted;
}

bool HeldBar::store(const float* out, int n, int64_t phase, int64_t unit_samples, bool silent, bool in_bar) {
    if (silent) {
        if (!complete(phase, unit_samples, in_bar)) forget();
        return false;
    }
    keep(out, n, phase);
    if (!in_bar) join(phase, n);  // other music precedes it in the store
    return true;
}

void HeldBar::keep(const float* out, int n, int64_t phase) {
    heard_known_ = false;
    mend(out, n, phase);
}

void HeldBar::mend(const float* out, int n, int64_t phase) {
    const int64_t after = phase + n;
    if (after >= length_) {
        stored_ = 0;
        return;
    }
    std::memcpy(store_ + phase * channels_, out, sizeof(float) * n * channels_);
    if (after == bar_samples_)  // a bar that is one sample longer has its last sample too
        std::memcpy(store_ + after * channels_, out + (n - 1) * channels_, sizeof(float) * channels_);
    stored_ = std::min(stored_ + n, bar_samples_);
}

void HeldBar::play(float* out, int n, int64_t phase) const {
    if (phase < 0 || phase + n > length_) {  // a bar that is now longer than the store
        std::memset(out, 0, sizeof(float) * n * channels_);
        return;
    }
    std::memcpy(out, store_ + phase * channels_, sizeof(float) * n * channels_);
}

void HeldBar::retime(const Grid& old, const Grid& now) {
    const int64_t old_bar = beat_start(old, old.beats_per_bar()), new_bar = beat_start(now, now.beats_per_bar());
    if (stored_ < old_bar - 1 || new_bar >= length_) {
        if (std::llabs(new_bar - old_bar) * nearly > old_bar) stored_ = 0;  // on a ramp, less than a bar stays usable
        return;
    }
    if (old_bar == new_bar && beat_start(old, 1) == beat_start(now, 1)) return;
    if (!heard_known_) {
        heard_known_ = true;
        heard_on_ = old;
        std::swap(store_, spare_);
    }
    const int64_t heard_bar = beat_start(heard_on_, heard_on_.beats_per_bar());
    const int heard_beats = static_cast<int>(std::ceil(heard_on_.beats_per_bar()));
    const int new_beats = static_cast<int>(std::ceil(now.beats_per_bar()));
    for (int beat = 0; beat < new_beats; ++beat) {
        const int64_t source = beat_start(heard_on_, beat % heard_beats);
        const int64_t n_source = std::min(beat_start(heard_on_, 1), heard_bar - source);
        lay(source, n_source, beat_start(now, beat), std::min(beat_start(now, beat + 1), new_bar));
    }
    stored_ = bar_samples_ = new_bar;
    for (int beat = 0; beat < new_beats; ++beat) {
        const int64_t target = beat_start(now, beat);
        join(target, std::min(beat_start(now, beat + 1), new_bar) - target);
    }
    copy(store_, new_bar, store_, new_bar - 1, 1);
}

// Copy one beat from the spare store: from its start, then back and forth over its second half.
void HeldBar::lay(int64_t source, int64_t n_source, int64_t target, int64_t after) {
    int64_t n = std::min(n_source, after - target);
    if (n <= 0) return;
    copy(store_, target, spare_, source, n);
    const int64_t half = std::max<int64_t>(n_source / 2, 1), end = source + n_source;
    bool back = true;
    for (target += n; target < after; target += n, back = !back) {
        n = std::min(half, after - target);
        if (!back) copy(store_, target, spare_, end - half, n);
        for (int64_t i = 0; back && i < n; ++i) copy(store_, target + i, spare_, end - 1 - i, 1);
    }
}

bool HeldBar::complete(int64_t phase, int64_t unit_samples, bool breaks) {
    const int64_t bar = bar_samples_, stored = stored_;
    const auto around = [bar](int64_t place) { return ((place % bar) + bar) % bar; };
    if (whole()) {
        if (breaks) join(around(phase), static_cast<int64_t>(fall_.size()));
        return true;
    }
    if (bar < 2 || stored < std::max<int64_t>(unit_samples, 1)) return false;
    int64_t length = unit_samples;
    while (2 * length <= stored) length *= 2;
    for (int64_t done = 0, n = 0, wanted = bar - stored; done < wanted; done += n) {
        const int64_t target = around(phase + done), source = around(phase - length + done % length);
        n = std::min({wanted - done, bar - target, bar - source, length - done % length});
        copy(store_, target, store_, source, n);
        if (done % length == 0) join(target, n);
    }
    join(around(phase - stored), stored);
    copy(store_, bar, store_, bar - 1, 1);
    stored_ = bar;
    return true;
}

// Fade only the step at a sample of the store from the one before it, over at most n samples.
void HeldBar::join(int64_t start, int64_t n) {
    n = std::min(static_cast<int64_t>(fall_.size()), n);
    if (n < 1 || start < 0 || start >= bar_samples_) return;
    const float* before = store_ + (start ? start - 1 : bar_samples_ - 1) * channels_;
    const int64_t first = std::min(n, bar_samples_ - start);
    for (int c = 0; c < channels_; ++c) {
        const float step = before[c] - store_[start * channels_ + c];
        for (int64_t i = 0; i < n; ++i) store_[(i < first ? start + i : i - first) * channels_ + c] += fall_[i] * step;
    }
}

void HeldBar::copy(float* to, int64_t target, const float* from, int64_t source, int64_t n) const {
    std::memmove(to + target * channels_, from + source * channels_, sizeof(float) * n * channels_);
}

}  // namespace segue
