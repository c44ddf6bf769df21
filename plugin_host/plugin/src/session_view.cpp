// What the plugin's window shows, as one answer: words, the clock, levels and pictures of sound. See session.hpp. MIT.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "session.hpp"

namespace segue {

namespace {

constexpr int picture_columns = 96;

std::string counted(const char* before, double count, const char* one, const char* more) {
    char text[96];
    std::snprintf(text, sizeof text, "%s %.0f %s", before, count, count < 1.5 ? one : more);
    return text;
}

}  // namespace

// A capture as letters, see `peak_letter`.
void Session::picture(const Capture& capture) {
    picture_.clear();
    const int64_t n = capture.n_samples() * capture.channels();
    for (int i = 0; i < picture_columns && n > picture_columns; ++i) {
        const int64_t from = n * i / picture_columns, to = n * (i + 1) / picture_columns;
        picture_ += peak_letter(peak_of(capture.payload() + from, to - from));
    }
}

// What comes next, in words.
std::string Session::next_text() const {
    if (!reader_ || lost_) return "";
    if (values_.on(p_capture) && !delivered_) {
        const int bars = values_.whole(p_capture_bars);
        if (!shared_.playing) return "records when your DAW plays";
        return bars > 0 ? counted("records", bars, "bar, from a bar line on", "bars, from a bar line on") : "records the loop";
    }
    if (!values_.on(p_generate)) return "turn Generate on to play";
    if (jam_) return counted("jam changes in", std::ceil(values_.get(p_jam_change)), "beat", "beats");
    if (asking_ || (playing_ && !sounding_)) return "prepares, begins on a bar line";
    if (ended_) return "has ended";
    if (!playing_) return "";
    if (!shared_.playing) return "ready: play in your DAW";
    if (end_beats_ < 0) return "plays until Generate is off";
    const double left = (end_beats_ - shared_.beats) / std::max(1.0, shared_.beats_per_bar.load());
    return left > 0 ? counted("plays", std::ceil(left), "bar more", "bars more") : "ends";
}

void Session::say_view() {
    const Saved now = saved();
    const int state = engine_state();
    const auto db = [](float peak) { return peak > 1e-5f ? 20.0 * std::log10(peak) : -100.0; };
    const bool captured = now.any_captured();
    link_.reply({address::plugin_ok,
                 {address::plugin_view, choice_at(p_engine, state), why_text(state), next_text(), now.prompt,
                  shared_.beats.load(), shared_.beats_per_bar.load(), shared_.tempo.load(),
                  shared_.playing.load() ? 1 : 0, db(shared_.trace.level(SoundTrace::input)),
                  db(shared_.trace.level(SoundTrace::music)), shared_.trace.text(SoundTrace::input),
                  shared_.trace.text(SoundTrace::music), captured ? picture_ : "",
                  choice_at(p_references, static_cast<int>(in_force_)), engine_start_.failed() ? 1 : 0}});
}

}  // namespace segue
