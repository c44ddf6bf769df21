// The window's clock, waveforms and meters: see window.hpp. MIT.
#include "window.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "sound_trace.hpp"
#include "window_colors.hpp"

START_NAMESPACE_DISTRHO

namespace {

constexpr int left = NanoVG::ALIGN_LEFT | NanoVG::ALIGN_MIDDLE, right = NanoVG::ALIGN_RIGHT | NanoVG::ALIGN_MIDDLE;
constexpr float floor_db = -60.0f, gutter = 132, meter_width = 8;

// Height of a letter of `peak_letter`, 0 to 1, on a scale that shows quiet music too.
float height_of(char letter) {
    const int steps = letter - '0';
    return steps <= 0 ? 0.0f : std::pow(10.0f, static_cast<float>(std::min(steps, 60) - 60) / 40.0f);
}

}  // namespace

// Bar and beat from 1 as in DAWs, the tempo, and what comes next.
void SegueWindow::draw_clock() {
    const segue::View& view = link_.view();
    const Box box = segue::clock_box(logical_width());
    fill_box(box, segue::panel);
    const double per_bar = std::max(1.0, view.beats_per_bar), bar = std::floor(view.beats / per_bar + 1e-6);
    const double beat = std::floor(view.beats - bar * per_bar + 1e-6);
    char text[64];
    std::snprintf(text, sizeof text, "%.0f.%.0f", bar + 1, beat + 1);
    const float middle = box.y + box.h / 2;
    say(box.x + 12, middle, text, 26, view.playing ? segue::words : segue::dim, left);
    const int beats = std::min(static_cast<int>(per_bar + 0.5), 12);
    for (int i = 0; i < beats; ++i)
        fill_box({box.x + 112 + i * 14.0f, middle - 5, 10, 10},
                 view.playing && i == static_cast<int>(beat) ? segue::accent : segue::edge, 5);
    const float after = box.x + 112 + beats * 14.0f + 10;
    std::snprintf(text, sizeof text, "%.1f bpm", view.tempo);
    const float used = say(after, middle, text, 13, segue::dim, left);
    say(box.x + box.w - 12, middle, view.next, 17, segue::words, right, box.w - (after + used - box.x) - 28);
}

// Three rows: the input, Segue, and the newest capture; each with its name and a remark beside it.
void SegueWindow::draw_waves() {
    const segue::View& view = link_.view();
    const Box box = segue::waves_box(logical_width(), logical_height());
    const float row = (box.h - 16) / 3;
    const std::string take = take_ > 0 ? "take " + std::to_string(take_) : "";
    char bars[32] = "turn Capture on";
    const double captured = static_cast<double>(values_[segue::p_captured_bars]);
    const std::string role = view.in_force == segue::choice_at(segue::p_references, 0) ? "unused" : view.in_force;
    if (!view.captured.empty()) std::snprintf(bars, sizeof bars, "%.3g bars, ", captured);
    const std::string used = view.captured.empty() ? bars : bars + role;
    draw_wave({box.x, box.y, box.w, row}, {"You", "the last 8 bars", view.input, segue::yours, true});
    draw_wave({box.x, box.y + row + 8, box.w, row}, {"Segue", take, view.music, segue::accent, true});
    draw_wave({box.x, box.y + 2 * (row + 8), box.w, row}, {"Captured", used, view.captured, segue::good, false});
    const float meter = box.x + box.w - meter_width - 5;
    draw_meter({meter, box.y + 5, meter_width, row - 10}, meters_[0]);
    draw_meter({meter, box.y + row + 13, meter_width, row - 10}, meters_[1]);
}

void SegueWindow::draw_wave(const Box& box, const Wave& wave) {
    fill_box(box, segue::panel);
    const float middle = box.y + box.h / 2;
    const bool two = box.h >= 32 && !wave.remark.empty();
    say(box.x + 12, two ? middle - 8 : middle, wave.name, 13, segue::words, left, gutter - 18);
    if (two) say(box.x + 12, middle + 9, wave.remark, 11, segue::dim, left, gutter - 18);
    const size_t n = wave.letters.size();
    if (!n) return;
    const float from = box.x + gutter, wide = box.w - gutter - meter_width - 16, step = wide / static_cast<float>(n);
    if (wave.bars) draw_bar_lines({from, box.y, wide, box.h}, n);
    beginPath();
    for (size_t i = 0; i < n; ++i) {
        const float high = std::max(0.5f, height_of(wave.letters[i]) * (box.h / 2 - 4));
        rect(from + static_cast<float>(i) * step + 0.5f, middle - high, std::max(1.0f, step - 1), 2 * high);
    }
    color(wave.rgb, 0.9f);
    fill();
}

void SegueWindow::draw_bar_lines(const Box& box, size_t columns) {
    const double per_bar = std::max(1.0, link_.view().beats_per_bar) * segue::SoundTrace::per_beat;
    const double newest = std::floor(link_.view().beats * segue::SoundTrace::per_beat);
    color(segue::edge, 0.8f);
    for (size_t i = 0; i < columns; ++i) {
        const double column = newest - static_cast<double>(columns - 1 - i);
        if (column < 0 || std::fmod(column, per_bar) >= 1.0) continue;
        beginPath();
        rect(box.x + static_cast<float>(i) * box.w / static_cast<float>(columns), box.y, 1, box.h);
        fill();
    }
}

void SegueWindow::draw_meter(const Box& box, float level_db) {
    fill_box(box, segue::back, 3);
    const float share = std::clamp((level_db - floor_db) / -floor_db, 0.0f, 1.0f);
    const unsigned rgb = level_db > -0.5f ? segue::bad : level_db > -9 ? segue::accent : segue::good;
    if (share > 0) fill_box({box.x, box.y + box.h * (1 - share), box.w, box.h * share}, rgb, 3);
}

END_NAMESPACE_DISTRHO
