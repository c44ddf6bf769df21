// Code of the audio thread: see processor.hpp, and plugin_host/playback/processor.py, which has the same names. MIT.
#include "processor.hpp"

#include <algorithm>
#include <cstring>

namespace segue {

namespace {

constexpr long double fade_seconds = 0.005L, rejoin_seconds = 0.1L;
constexpr int64_t far_samples = int64_t(1) << 40;
constexpr int64_t first_bar_seconds = 2;  // a bar of 4/4 at 120

}  // namespace

Processor::Processor(int sample_rate_hz, int channels)
    : sample_rate_hz_(sample_rate_hz), channels_(channels), rejoin_samples_(nearest(rejoin_seconds * sample_rate_hz)),
      fade_(std::max<int>(static_cast<int>(nearest(fade_seconds * sample_rate_hz)), 1), channels),
      held_(sample_rate_hz, channels, fade_.fall()), level_(fade_.size()) {}

void Processor::process(float* out, int n, const Transport& transport, bool rests) {
    rests_ = rests;
    const int64_t position = transport.position_samples;
    reader_ = take_offered();
    follow(transport, n);
    ++counters.blocks;
    counters.samples += n;
    if (reader_) {
        reader_->publish(transport, seek_id(), n, counters.underruns, counters.missed_samples);
        reader_->look();
    }
    level_.follow(reader_ ? &reader_->fader() : nullptr, seek_id());
    if (transport.playing) {
        int done = 0;
        while (done < n) {
            const int64_t here = position + done;
            if (!(bar_start_ <= here && here < bar_end_)) find_bar(here);
            const int64_t whole =
                std::min<int64_t>({n - done, bar_end_ - here, until_plan_end(here), level_.at(here)});
            part(out + done * channels_, static_cast<int>(whole), here);
            done += static_cast<int>(whole);
        }
    } else {
        rest(out, n);
    }
    fill_samples = reader_ ? fill_at(position + n) : 0;
    reader_ = nullptr;
    held_ring_.store(nullptr);
}

void Processor::prepare() {
    const int64_t bar = std::max<int64_t>(bar_samples_.load(std::memory_order_relaxed), first_bar_seconds * sample_rate_hz_);
    held_.populate(2 * bar);
}

void Processor::look_ahead(int n, const Transport& transport) {
    reader_ = take_offered();
    follow(transport, n);
    expected_ = transport.position_samples;
    if (reader_) reader_->publish(transport, seek_id(), n, counters.underruns, counters.missed_samples);
    reader_ = nullptr;
    held_ring_.store(nullptr);
}

int64_t Processor::fill_at(int64_t position) const {
    const Plan& plan = reader_->plan();
    const bool ahead = plan.sounding && plan.seek_id == seek_id() && plan.start_samples > position;
    return reader_->ahead(ahead ? plan.start_samples : position);
}

// Publish which ring is used before using it, then check again: the session frees only rings that neither word names.
RingReader* Processor::take_offered() {
    RingReader* reader = offered_.load();
    for (int attempt = 0; attempt < 4; ++attempt) {
        held_ring_.store(reader);
        RingReader* again = offered_.load();
        if (again == reader) {
            if (reader) reader->counters = &drops;
            return reader;
        }
        reader = again;
    }
    held_ring_.store(nullptr);
    return nullptr;
}

void Processor::follow(const Transport& transport, int n) {
    const Grid& grid = transport.grid;
    if (!known_ || !grid.same(grid_)) {
        if (known_ && !grid.same_line(grid_)) {
            ++counters.tempo_changes;
            if (state_ == State::holding) {
                fade_.join();
                in_bar_ = false;
            }
            settle();
            held_.retime(grid_, grid);
        }
        half_beat_samples_ = nearest(grid.samples_of(0.5L));
        bar_samples_.store(nearest(grid.samples_of(grid.beats_per_bar())), std::memory_order_relaxed);
        grid_ = grid;
        bar_end_ = bar_start_;  // computed again
    }
    if (transport.position_samples != expected_ && known_) {
        ++counters.jumps;
        seek_id_.store(seek_id() + 1, std::memory_order_relaxed);
        if (!settle()) held_.forget();
        if (state_ == State::playing || state_ == State::holding) {
            fade_.join();
            in_bar_ = false;
        }
    }
    known_ = true;
    expected_ = transport.position_samples + (transport.playing ? n : 0);
}

// Complete a bar from the music heard so far: music after a jump or another tempo cannot complete it.
bool Processor::settle() {
    if (state_ != State::playing) return held_.whole();
    return held_.complete(expected_ - bar_start_, half_beat_samples_, in_bar_);
}

void Processor::find_bar(int64_t position) {
    const int64_t bar = grid_.bar_at(position);
    bar_start_ = grid_.bar_start(bar);
    bar_end_ = std::max(grid_.bar_start(bar + 1), position + 1);
    held_.measure(bar_end_ - bar_start_);
}

int64_t Processor::until_plan_end(int64_t position) const {
    if (!reader_ || reader_->plan().seek_id != seek_id() || reader_->plan().end_samples <= position)
        return far_samples;
    return reader_->plan().end_samples - position;
}

// Fill a part of the block that lies in one bar and on one side of the plan's end.
void Processor::part(float* out, int n, int64_t position) {
    while (n > 0) {
        Stretch found = reader_ ? reader_->read(position, out, n, seek_id()) : Stretch{};
        if (reader_ && late_takeover(position) && state_ == State::playing) fade_.join();
        if (rests_ || (found.end && over(position))) found = Stretch{};
        if (found.end == 0) {
            missing(out, n, position);
            return;
        }
        if (found.begin) missing(out, found.begin, position);
        real(out + found.begin * channels_, found.end - found.begin, position + found.begin);
        out += found.end * channels_;
        position += found.end;
        n -= found.end;
    }
}

// Music that takes over late comes after its own fade: the host fades only the step to it.
bool Processor::late_takeover(int64_t position) {
    const Plan& plan = reader_->plan();
    const bool is_new = plan.plan_revision != plan_revision_;
    plan_revision_ = plan.plan_revision;
    return is_new && plan.from_samples < position;
}

bool Processor::over(int64_t position) const {
    const Plan& plan = reader_->plan();
    return plan.seek_id == seek_id() && reader_->planned() && position >= plan.end_samples;
}

bool Processor::due(int64_t position) const {
    if (rests_) return false;
    if (!reader_ || !reader_->planned() || reader_->plan().seek_id != seek_id()) return state_ != State::idle;
    const Plan& plan = reader_->plan();
    if (state_ == State::holding && position < hold_until_.load(std::memory_order_relaxed)) return true;
    if (!plan.sounding || position >= plan.end_samples) return false;
    if (state_ == State::playing || state_ == State::holding) return true;  // sound continues up to a new start
    return position >= plan.start_samples;
}

bool Processor::ready(int n, int64_t position, bool expecting) {
    reader_ = take_offered();
    bool whole = true;
    if (reader_) {
        reader_->read(position, nullptr, 0, seek_id());  // free outdated blocks: the engine needs the space
        const Plan plan = reader_->look();
        if (!reader_->planned() || plan.seek_id != seek_id()) {
            whole = state_ == State::idle && !expecting;
        } else if (plan.sounding) {
            const int64_t end = std::min(position + n, plan.end_samples);
            const bool due_here = end > std::max(position, plan.start_samples);
            whole = !due_here || reader_->ahead(position) >= end - position;
        }
    }
    reader_ = nullptr;
    held_ring_.store(nullptr);
    return whole;
}

void Processor::real(float* out, int n, int64_t position) {
    if (state_ == State::idle) {
        const bool exact = reader_ && position == reader_->plan().start_samples;
        if (!exact) std::memset(fade_.across(), 0, sizeof(float) * fade_.size() * channels_);
        state_ = State::playing;
    } else if (state_ != State::playing) {
        const bool waits = state_ == State::holding && position != bar_start_;
        if (waits || !enough(position)) {
            counters.skipped_samples += n;
            fill(out, n, position);
            return;
        }
        float* leaving = fade_.across();
        if (state_ == State::holding) {
            held_.play(leaving, fade_.size(), 0);
            level_.apply(leaving, fade_.size(), channels_);
        } else {
            std::memset(leaving, 0, sizeof(float) * fade_.size() * channels_);
        }
        state_ = State::playing;
        ++counters.rejoins;
    }
    counters.played_samples += n;
    finish(out, n, position);
}

bool Processor::enough(int64_t position) const {
    if (!reader_) return false;
    return reader_->ahead(position) >= std::min(rejoin_samples_, reader_->plan().end_samples - position);
}

void Processor::missing(float* out, int n, int64_t position) {
    if (!due(position)) {
        rest(out, n);
        return;
    }
    counters.missed_samples += n;
    if (state_ == State::idle || state_ == State::playing) {
        ++counters.underruns;
        if (held_.complete(position - bar_start_, half_beat_samples_, in_bar_)) {
            fade_.join();
            level_.begin();
            state_ = State::holding;
        } else {
            fade_.let_go();
            held_.forget();
            state_ = State::muted;
        }
    }
    fill(out, n, position);
}

void Processor::fill(float* out, int n, int64_t position) {
    if (state_ == State::holding) {
        held_.play(out, n, position - bar_start_);
        level_.apply(out, n, channels_);
        counters.held_samples += n;
    } else {
        std::memset(out, 0, sizeof(float) * n * channels_);
        counters.muted_samples += n;
    }
    finish(out, n, position);
}

void Processor::rest(float* out, int n) {
    if (state_ == State::playing || state_ == State::holding) fade_.let_go();
    state_ = State::idle;
    held_.forget();
    std::memset(out, 0, sizeof(float) * n * channels_);
    finish(out, n, 0);
}

// Mix in the fading audio, keep the newest samples, and store the music.
void Processor::finish(float* out, int n, int64_t position) {
    const bool fading = fade_.running();
    fade_.apply(out, n);
    const int64_t phase = position - bar_start_;
    if (state_ == State::playing) {
        in_bar_ = held_.store(out, n, phase, half_beat_samples_, level_.silent(), in_bar_);
        level_.store();
    } else if (fading && in_bar_ && state_ == State::holding && level_.whole()) {
        held_.mend(out, n, phase);
    }
}

}  // namespace segue
