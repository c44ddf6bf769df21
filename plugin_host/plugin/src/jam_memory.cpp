// What was played lately: see jam_memory.hpp. MIT.
#include "jam_memory.hpp"

#include <algorithm>
#include <cmath>

namespace segue {

namespace {

constexpr int64_t margin_samples = 16384;  // that may be written while the session reads
constexpr double fade_seconds = 0.005;     // at both ends of a repeat
constexpr double faded_beats = 0.25, faded_seconds_least = 0.06, faded_seconds_most = 0.2;
constexpr double half_pi = 1.57079632679489662;
std::atomic<uint64_t> memories{1};

}  // namespace

JamMemory::JamMemory(int64_t capacity, int channels)
    : capacity_(capacity), channels_(channels), memory_number_(memories.fetch_add(1) << 32), in_(static_cast<size_t>(capacity * channels)),
      own_(static_cast<size_t>(capacity * channels)) {}

void JamMemory::pass(const Transport& transport, const float* const* in, float* own, int n) {
    const int64_t position = transport.position_samples;
    if (!transport.grid.same(grid_) || position != end_.load(std::memory_order_relaxed)) {
        sequence_.fetch_add(1);
        fence();
        grid_ = transport.grid;
        begin_.store(position);
        end_.store(position);
        repeat_until_.store(INT64_MIN);
        fence();
        sequence_.fetch_add(1);
    }
    gate(position, own, n);
    sound(position, own, n);
    for (int i = 0; i < n; ++i) {
        const int64_t at = ((position + i) % capacity_ + capacity_) % capacity_ * channels_;
        for (int c = 0; c < channels_; ++c) {
            in_[at + c] = in[c][i];
            own_[at + c] = own[static_cast<size_t>(i) * channels_ + c];
        }
    }
    end_.store(position + n, std::memory_order_release);
}

// Open at once, on the first sample; closed within the fade.
void JamMemory::gate(int64_t position, float* own, int n) {
    if (!gated_.load(std::memory_order_acquire)) return;
    const auto step = static_cast<float>(1 / std::max(1.0, fade_seconds * grid_.sample_rate_hz));
    const int64_t from[] = {from_[0].load(), from_[1].load()}, until[] = {until_[0].load(), until_[1].load()};
    for (int i = 0; i < n; ++i) {
        const int64_t at = position + i;
        const bool open = (at >= from[0] && at < until[0]) || (at >= from[1] && at < until[1]);
        gain_ = open ? 1.0f : std::max(0.0f, gain_ - step);
        for (int c = 0; c < channels_; ++c) own[static_cast<size_t>(i) * channels_ + c] *= gain_;
    }
}

void JamMemory::allow(int64_t from, int64_t until) {
    from_[0].store(from_[1]);
    until_[0].store(std::min(until_[1].load(), from));
    until_[1].store(INT64_MIN);
    from_[1].store(from);
    until_[1].store(until);
}

void JamMemory::end_at(int64_t until) {
    for (auto& each : until_) each.store(std::min(each.load(), until));
}

void JamMemory::silence() {
    end_at(INT64_MIN);
    gated_.store(true, std::memory_order_release);
}

void JamMemory::sound(int64_t position, float* own, int n) {
    const int64_t until = repeat_until_.load(std::memory_order_acquire), from = repeat_from_.load();
    const int64_t back = repeat_back_.load();
    const int64_t first = std::max(position, from), last = std::min(position + n, until);
    const double fade = std::max(1.0, fade_seconds * grid_.sample_rate_hz);
    for (int64_t at = first; at < last; ++at) {
        if (at - back < begin_.load(std::memory_order_relaxed) || back > capacity_ - margin_samples) return;
        const double edge = static_cast<double>(std::min(at - from, until - 1 - at));
        const float gain = static_cast<float>(std::min(1.0, edge / fade));
        const int64_t source = ((at - back) % capacity_ + capacity_) % capacity_ * channels_;
        for (int c = 0; c < channels_; ++c) own[(at - position) * channels_ + c] += gain * in_[source + c];
    }
}

bool JamMemory::look(Stretch& stretch) const {
    const uint32_t before = sequence_.load(std::memory_order_acquire);
    if (before % 2) return false;
    stretch = {memory_number_ | before, grid_, begin_.load(), end_.load(std::memory_order_acquire)};
    fence();
    return sequence_.load() == before;
}

bool JamMemory::held(int64_t begin, int64_t end) const {
    const int64_t known = end_.load(std::memory_order_acquire);
    return begin >= begin_.load() && begin >= known - capacity_ + margin_samples && end <= known;
}

bool JamMemory::read(int64_t begin, int64_t end, bool to_answer, float* out) const {
    if (!held(begin, end)) return false;
    const double seconds = std::clamp(faded_beats * 60 / grid_.tempo_bpm, faded_seconds_least, faded_seconds_most);
    const int64_t faded = std::min(nearest(seconds * grid_.sample_rate_hz), end - begin);
    for (int64_t at = begin; at < end; ++at) {
        const int64_t source = (at % capacity_ + capacity_) % capacity_ * channels_;
        const double into = static_cast<double>(at - (end - faded)) / std::max(faded / 2.0, 1.0);
        const double root = into >= 1 ? 0 : into > 0 ? std::cos(half_pi * into) : 1;
        const auto gain = static_cast<float>(to_answer ? root * root : 1);
        for (int c = 0; c < channels_; ++c)
            *out++ = gain * in_[source + c] + (to_answer ? own_[source + c] : 0.0f);
    }
    return held(begin, end);
}

void JamMemory::repeat(int64_t from, int64_t until, int64_t back) {
    repeat_until_.store(INT64_MIN);
    repeat_from_.store(from);
    repeat_back_.store(back);
    repeat_until_.store(until, std::memory_order_release);
}

}  // namespace segue
