// What was played lately: see jam_memory.hpp. MIT.
#include "jam_memory.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace segue {

namespace {

constexpr int64_t margin_samples = 16384;  // that may be written while the session reads
constexpr int64_t filled_most = 16384;     // samples of a lap in a block
constexpr int64_t off_phase_most = 2;      // samples that a cycle may be longer than whole bars
constexpr double fade_seconds = 0.005;     // at both ends of a lap
constexpr long double on_line_beats = 1e-4L;
constexpr double faded_beats = 0.25, faded_seconds_least = 0.06, faded_seconds_most = 0.2;
constexpr double half_pi = 1.57079632679489662;
std::atomic<uint64_t> memories{1};

}  // namespace

void fade_into_the_bar(float* audio, int64_t count, int channels, const Grid& grid) {
    const double seconds = std::clamp(faded_beats * 60 / grid.tempo_bpm, faded_seconds_least, faded_seconds_most);
    const int64_t faded = std::min(nearest(seconds * grid.sample_rate_hz), count);
    for (int64_t at = count - faded; at < count; ++at) {
        const double into = static_cast<double>(at - (count - faded)) / std::max(faded / 2.0, 1.0);
        const double root = into >= 1 ? 0 : into > 0 ? std::cos(half_pi * into) : 1;
        for (int c = 0; c < channels; ++c) audio[at * channels + c] *= static_cast<float>(root * root);
    }
}

JamMemory::JamMemory(int64_t capacity, int channels)
    : capacity_(capacity), channels_(channels), memory_number_(memories.fetch_add(1) << 32),
      in_(static_cast<size_t>(capacity * channels)), own_(static_cast<size_t>(capacity * channels)) {}

// -- audio --------------------------------------------------------------------------------------------

bool JamMemory::rests(const Transport& transport) {
    follow(transport);
    return rests_at(transport);
}

bool JamMemory::rests_at(const Transport& transport) const {
    if (!gated_.load(std::memory_order_acquire)) return false;
    const Landing here = landing(transport.position_samples);
    if (!transport.grid.same(grid_) || !here.goes_on) return true;
    const int64_t bar = here.bar + shift_bars_;
    const uint32_t stretch = stretch_.load(std::memory_order_relaxed);
    for (const Window& each : windows_)
        if (each.stretch.load(std::memory_order_acquire) == stretch && bar >= each.from && bar < each.until) return false;
    return true;
}

// A jump to the same place of another bar, as a cycle's end is, goes on in the same stretch; another begins anew.
JamMemory::Landing JamMemory::landing(int64_t position) const {
    const int64_t expected = end_.load(std::memory_order_relaxed) - shift_samples_;
    if (position == expected) {
        const int64_t bar = grid_.bar_at(position);
        return {true, bar, bar};
    }
    const int64_t before = grid_.bar_at(expected + off_phase_most), now = grid_.bar_at(position + off_phase_most);
    const int64_t off = (position - grid_.bar_start(now)) - (expected - grid_.bar_start(before));
    return {off >= -off_phase_most && off <= off_phase_most, before, now};
}

void JamMemory::follow(const Transport& transport) {
    const int64_t position = transport.position_samples, end = end_.load(std::memory_order_relaxed);
    if (!transport.grid.same(grid_) || end == begin_.load(std::memory_order_relaxed)) {
        if (!transport.grid.same(grid_) || position + shift_samples_ != end) begin_anew(transport);
        note_cycle(transport);
        return;
    }
    const int64_t expected = end - shift_samples_;
    if (position != expected) {
        const Landing here = landing(position);
        if (!here.goes_on) {
            begin_anew(transport);
        } else {
            sequence_.fetch_add(1);
            fence();
            shift_samples_ += expected - position;
            shift_bars_ += here.bar - here.host_bar;
            fence();
            sequence_.fetch_add(1);
        }
    }
    note_cycle(transport);
}

void JamMemory::begin_anew(const Transport& transport) {
    sequence_.fetch_add(1);
    fence();
    if (end_ > begin_) gated_.store(true);
    grid_ = transport.grid;
    shift_samples_ = shift_bars_ = 0;
    begin_.store(transport.position_samples);
    end_.store(transport.position_samples);
    stretch_.fetch_add(1);
    fence();
    sequence_.fetch_add(1);
}

void JamMemory::note_cycle(const Transport& transport) {
    if (transport.looping == looping_ && (!looping_ || (transport.loop_start_beats == cycle_begin_beats_ &&
                                                        transport.loop_end_beats == cycle_end_beats_)))
        return;
    sequence_.fetch_add(1);
    fence();
    looping_ = transport.looping;
    cycle_begin_beats_ = transport.loop_start_beats;
    cycle_end_beats_ = transport.loop_end_beats;
    const Grid& grid = transport.grid;
    const long double per_bar = grid.beats_per_bar(), origin = shortest(grid.bar_origin_beats);
    const long double first = (cycle_begin_beats_ - origin) / per_bar, last = (cycle_end_beats_ - origin) / per_bar;
    const bool whole = std::fabs(first - std::round(first)) * per_bar < on_line_beats &&
                       std::fabs(last - std::round(last)) * per_bar < on_line_beats;
    cycle_first_ = static_cast<int64_t>(std::round(first));
    cycle_bars_ = looping_ && whole ? static_cast<int64_t>(std::round(last)) - cycle_first_ : 0;
    fence();
    sequence_.fetch_add(1);
}

void JamMemory::pass(const Transport& transport, const float* const* in, float* own, int n) {
    follow(transport);
    const int64_t position = transport.position_samples + shift_samples_;
    passing_.fetch_add(1);
    for (auto& each : laps_)
        if (JamLap* lap = each.load()) sound(*lap, transport, own, n);
    for (int i = 0; i < n; ++i) {
        const int64_t at = slot(position + i);
        for (int c = 0; c < channels_; ++c) {
            in_[at + c] = in[c][i];
            own_[at + c] = own[static_cast<size_t>(i) * channels_ + c];
        }
    }
    end_.store(position + n, std::memory_order_release);
    for (auto& each : laps_)
        if (JamLap* lap = each.load()) fill(*lap, position + n);
    passing_.fetch_add(1);
}

void JamMemory::sound(JamLap& lap, const Transport& transport, float* own, int n) {
    const int64_t host_bar = transport.grid.bar_at(transport.position_samples), bar = host_bar + shift_bars_;
    const int64_t position = transport.position_samples + shift_samples_;
    const int64_t until = lap.until_bar.load(std::memory_order_acquire);
    if (lap.stretch != stretch_.load(std::memory_order_relaxed) || bar < lap.from_bar) return;
    if (lap.entered == INT64_MIN) {
        if (bar >= until) {
            lap.left.store(position);
            return;
        }
        const int64_t into = transport.position_samples - transport.grid.bar_start(lap.from_bar - shift_bars_);
        lap.start = position - into;
        lap.entered = position;
    }
    if (bar >= until && lap.left.load() == INT64_MAX) lap.left.store(position);
    const int64_t left = lap.left.load();
    const auto fade = static_cast<double>(std::max<int64_t>(1, nearest(fade_seconds * grid_.sample_rate_hz)));
    for (int i = 0; i < n; ++i) {
        const int64_t at = position + i;
        double rise = std::min(1.0, static_cast<double>(at - lap.entered) / fade);
        if (at >= left) rise = 1 - static_cast<double>(at - left) / fade;
        if (rise <= 0 && at >= left) return;
        const int64_t source = (at - lap.start) % lap.length;
        const auto gain = static_cast<float>(rise);
        for (int c = 0; c < channels_; ++c) {
            const float value = source < lap.known ? lap.audio[static_cast<size_t>(source * channels_ + c)] : 0.0f;
            float& out = own[static_cast<size_t>(i) * channels_ + c];
            out = out * (1 - gain) + gain * value;
        }
    }
}

// What is known up to a position; before it is handed over the session's, then the audio thread's.
void JamMemory::fill(JamLap& lap, int64_t known) {
    const int64_t from = lap.source + lap.known;
    const int64_t until = std::min({lap.source + lap.length, known, from + filled_most});
    const std::vector<float>& music = lap.own ? own_ : in_;
    for (int64_t at = from; at < until; ++at)
        std::memcpy(lap.audio.data() + (at - lap.source) * channels_, music.data() + slot(at), sizeof(float) * channels_);
    lap.known = std::max(lap.known, until - lap.source);
}

// -- session ------------------------------------------------------------------------------------------

void JamMemory::allow(int64_t from_bar, int64_t until_bar) {
    Window &before = windows_[0], &now = windows_[1];
    before.stretch.store(0);
    before.from.store(now.from);
    before.until.store(std::min(now.until.load(), from_bar));
    before.stretch.store(now.stretch);
    now.stretch.store(0);
    now.from.store(from_bar);
    now.until.store(until_bar);
    now.stretch.store(stretch_.load(), std::memory_order_release);
}

void JamMemory::end_at(int64_t bar) {
    for (Window& each : windows_) each.until.store(std::min(each.until.load(), bar));
    end_laps(bar);
}

void JamMemory::silence() {
    end_at(INT64_MIN);
    gated_.store(true, std::memory_order_release);
}

void JamMemory::end_laps(int64_t bar) {
    for (auto& each : alive_) each->until_bar.store(std::min(each->until_bar.load(), bar));
}

void JamMemory::lay(std::unique_ptr<JamLap> lap) {
    lap->stretch = stretch_.load();
    end_laps(lap->from_bar);
    if (lap->audio.empty()) {
        lap->audio.resize(static_cast<size_t>(lap->length * channels_));
        const int64_t here = std::clamp<int64_t>(end() - lap->source, 0, lap->length);
        (void)read(lap->source, lap->source + here, lap->own, lap->audio.data());  // no longer known: silence
        lap->known = here;
    }
    tidy();
    for (auto& each : laps_) {
        if (each.load()) continue;
        each.store(lap.get());
        alive_.push_back(std::move(lap));
        return;
    }
}

void JamMemory::tidy() {
    const auto fade = static_cast<int64_t>(2 * fade_seconds * grid_.sample_rate_hz);
    for (size_t i = alive_.size(); i-- > 0;) {
        JamLap& lap = *alive_[i];
        if (lap.stretch == stretch_.load() && lap.left.load() > end() - fade) continue;
        for (auto& each : laps_)
            if (each.load() == &lap) each.store(nullptr);
        old_.push_back({std::move(alive_[i]), passing_.load()});
        alive_.erase(alive_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    old_.erase(std::remove_if(old_.begin(), old_.end(), [this](const Old& each) {
        return each.passing % 2 == 0 || each.passing != passing_.load();
    }), old_.end());
}

bool JamMemory::look(Stretch& stretch) const {
    const uint32_t before = sequence_.load(std::memory_order_acquire);
    if (before % 2) return false;
    stretch = {this->stretch(), grid_, begin_.load(), end(), shift_samples_, shift_bars_, cycle_first_, cycle_bars_};
    fence();
    return sequence_.load() == before;
}

int64_t JamMemory::first() const { return std::max(begin_.load(), end() - capacity_ + margin_samples); }

bool JamMemory::held(int64_t begin, int64_t end) const {
    return begin >= first() && end <= this->end();
}

bool JamMemory::read(int64_t begin, int64_t end, bool own, float* out) const {
    if (!held(begin, end)) return false;
    const std::vector<float>& music = own ? own_ : in_;
    for (int64_t at = begin; at < end; ++at, out += channels_)
        std::memcpy(out, music.data() + slot(at), sizeof(float) * static_cast<size_t>(channels_));
    return held(begin, end);
}

}  // namespace segue
