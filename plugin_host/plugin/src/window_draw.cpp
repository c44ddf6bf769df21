// How the window's controls look: see window.hpp. MIT.
#include "window.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "window_colors.hpp"
#include "words.hpp"

START_NAMESPACE_DISTRHO

namespace {

constexpr uint64_t tip_ns = 600000000u, blink_ns = 1000000000u;
constexpr int left = NanoVG::ALIGN_LEFT | NanoVG::ALIGN_MIDDLE, center = NanoVG::ALIGN_CENTER | NanoVG::ALIGN_MIDDLE,
              right = NanoVG::ALIGN_RIGHT | NanoVG::ALIGN_MIDDLE;

}  // namespace

void SegueWindow::color(unsigned rgb, float alpha) {
    fillColor(static_cast<int>(rgb >> 16 & 255), static_cast<int>(rgb >> 8 & 255), static_cast<int>(rgb & 255),
              static_cast<int>(alpha * 255));
}

void SegueWindow::fill_box(const Box& box, unsigned rgb, float round, float alpha) {
    beginPath();
    roundedRect(box.x, box.y, box.w, box.h, round);
    color(rgb, alpha);
    fill();
}

void SegueWindow::frame_box(const Box& box, unsigned rgb, float width, float round) {
    beginPath();
    roundedRect(box.x + 0.5f, box.y + 0.5f, box.w - 1, box.h - 1, round);
    strokeColor(static_cast<int>(rgb >> 16 & 255), static_cast<int>(rgb >> 8 & 255), static_cast<int>(rgb & 255));
    strokeWidth(width);
    stroke();
}

// Text, shortened to a width if one is given; returns its width.
float SegueWindow::say(float x, float y, const std::string& text, float size, unsigned rgb, int align, float width) {
    const std::string shown = width > 0 ? shortened(text, size, width) : text;
    if (shown.empty()) return 0;
    fontSize(size);
    textAlign(align);
    color(rgb);
    NanoVG::text(x, y, shown.c_str(), nullptr);
    Rectangle<float> bounds;
    return textBounds(0, 0, shown.c_str(), nullptr, bounds);
}

std::string SegueWindow::shortened(const std::string& text, float size, float width) {
    Rectangle<float> bounds;
    fontSize(size);
    if (text.empty() || textBounds(0, 0, text.c_str(), nullptr, bounds) <= width) return text;
    std::string part = text;
    while (!part.empty()) {
        do part.pop_back();
        while (!part.empty() && (static_cast<unsigned char>(part.back()) & 0xC0) == 0x80);
        if (!part.empty() && static_cast<unsigned char>(part.back()) >= 0xC0) part.pop_back();
        if (textBounds(0, 0, (part + "…").c_str(), nullptr, bounds) <= width) break;
    }
    return part + "…";
}

void SegueWindow::onNanoDisplay() {
    drawn_ns_ = segue::monotonic_ns();
    fontFace(NANOVG_DEJAVU_SANS_TTF);
    NanoVG::scale(scale(), scale());
    fill_box({0, 0, logical_width(), logical_height()}, segue::back, 0);
    draw_head();
    for (size_t i = 0; i < controls_.size(); ++i)
        if (shown(controls_[i])) draw_control(static_cast<int>(i));
    draw_clock();
    draw_waves();
    draw_foot();
    draw_tip();
}

void SegueWindow::draw_head() {
    const segue::View& view = link_.view();
    say(14, 24, "Segue", 20, segue::words, left);
    const int state = static_cast<int>(values_[segue::p_engine] + 0.5f);
    const bool works = state >= segue::engine_connected && state <= segue::engine_playing;
    const bool waits = state >= segue::engine_starting && state <= segue::engine_warming;
    const unsigned lamp = works ? segue::good : waits || !view.heard ? segue::accent : segue::bad;
    beginPath();
    circle(92, 24, 5);
    color(lamp);
    fill();
    const float room = logical_width() - 104 - 28 - 104 - (view.failed ? 124 : 0);
    const std::string state_text = view.heard ? view.state : "the plugin has not begun: start your DAW's audio";
    const float used = say(104, 24, state_text, 14, segue::words, left, room);
    if (!view.why.empty() && used + 30 < room) say(104 + used + 12, 24, view.why, 12, segue::dim, left, room - used - 12);
}

void SegueWindow::draw_control(int index) {
    const Control& control = controls_[index];
    switch (control.kind) {
    case segue::c_prompt: draw_prompt(control, typing_ == index); break;
    case segue::c_toggle: draw_toggle(control); break;
    case segue::c_choice: draw_choice(control); break;
    case segue::c_number: draw_number(control, typing_ == index); break;
    case segue::c_action: draw_action(control); break;
    }
    if (focused_ == index && typing_ != index) frame_box(control.box, segue::focus, 1.5f);
}

void SegueWindow::draw_prompt(const Control& control, bool typed) {
    fill_box(control.box, segue::panel);
    frame_box(control.box, typed ? segue::accent : segue::edge, typed ? 1.5f : 1);
    const Box inside{control.box.x + 12, control.box.y, control.box.w - 24, control.box.h};
    const float middle = inside.y + inside.h / 2;
    if (typed)
        draw_typed(inside, prompt_line_, 16);
    else if (prompt_line_.text().empty())
        say(inside.x, middle, "Describe the music: dusty piano, brushes", 16, segue::dim, left, inside.w);
    else
        say(inside.x, middle, prompt_line_.text(), 16, segue::words, left, inside.w);
    if (link_.prompt_on_its_way()) say(inside.x + inside.w, middle, "…", 16, segue::accent, right);
}

// The text with its cursor, which stays inside the box.
void SegueWindow::draw_typed(const Box& box, const segue::TextLine& typed, float size) {
    Rectangle<float> bounds;
    fontSize(size);
    textAlign(left);
    const std::string before = typed.text().substr(0, typed.cursor());
    const float caret = before.empty() ? 0 : textBounds(0, 0, before.c_str(), nullptr, bounds);
    const float whole = typed.text().empty() ? 0 : textBounds(0, 0, typed.text().c_str(), nullptr, bounds);
    const float shift = std::max(0.0f, caret - box.w + 4), middle = box.y + box.h / 2;
    save();
    scissor(box.x - 1, box.y, box.w + 3, box.h);
    if (typed.all_selected())
        fill_box({box.x - shift, middle - size * 0.7f, whole, size * 1.4f}, segue::accent, 2, 0.35f);
    say(box.x - shift, middle, typed.text(), size, segue::words, left);
    if (segue::monotonic_ns() % blink_ns < blink_ns / 2)
        fill_box({box.x + caret - shift, middle - size * 0.65f, 1.5f, size * 1.3f}, segue::words, 0);
    restore();
}

void SegueWindow::draw_toggle(const Control& control) {
    const bool on = values_[control.parameter] > 0.5f;
    const unsigned lit = control.parameter == segue::p_capture ? segue::bad : segue::accent;
    fill_box(control.box, on ? lit : segue::raised);
    if (!on) frame_box(control.box, segue::edge);
    say(control.box.x + control.box.w / 2, control.box.y + control.box.h / 2, control.name, 16,
        on ? segue::on_accent : segue::words, center, control.box.w - 12);
}

void SegueWindow::draw_choice(const Control& control) {
    const int n = segue::n_choices(control.parameter), now = static_cast<int>(values_[control.parameter] + 0.5f);
    say(control.box.x + 2, control.box.y + 6, control.name, 11, segue::dim, left);
    const Box row{control.box.x, control.box.y + 14, control.box.w, control.box.h - 14};
    fill_box(row, segue::panel);
    for (int i = 0; i < n; ++i) {
        const Box part{row.x + row.w * i / n, row.y, row.w / n, row.h};
        if (i == now) fill_box(part, segue::accent);
        say(part.x + part.w / 2, part.y + part.h / 2, segue::choice_at(control.parameter, i), 12,
            i == now ? segue::on_accent : segue::words, center, part.w - 2);
    }
    frame_box(row, segue::edge);
}

void SegueWindow::draw_number(const Control& control, bool typed) {
    const float value = values_[control.parameter];
    const Box& box = control.box;
    const bool take = control.parameter == segue::p_take;
    fill_box(box, segue::panel);
    if (take) {
        const Box inside{box.x + 8, box.y, box.w - 16, box.h};
        frame_box(box, typed ? segue::accent : segue::edge);
        const std::string text = std::string("Take ") + (value > 0 ? segue::value_text(segue::p_take, value)
                                                        : take_ > 0 ? std::to_string(take_) : "new");
        if (typed) draw_typed(inside, value_line_, 13);
        else say(inside.x + inside.w / 2, box.y + box.h / 2, text, 13, value > 0 ? segue::accent : segue::words, center, inside.w);
        return;
    }
    say(box.x + 8, box.y + 12, control.name, 11, segue::dim, left, box.w - 16);
    const Box inside{box.x + 8, box.y + 18, box.w - 16, 20};
    if (typed) draw_typed(inside, value_line_, 15);
    else say(inside.x, inside.y + 10, segue::value_text(control.parameter, value), 15, segue::words, left, inside.w);
    fill_box({box.x + 8, box.y + box.h - 8, box.w - 16, 3}, segue::edge, 1.5f);
    fill_box({box.x + 8, box.y + box.h - 8, (box.w - 16) * segue::share_of(control.parameter, value), 3}, segue::accent, 1.5f);
    frame_box(box, typed ? segue::accent : segue::edge);
}

void SegueWindow::draw_action(const Control& control) {
    const int slot = control.action >= segue::a_slot ? control.action - segue::a_slot : -1;
    const bool full = slot >= 0 && slots_[slot] > 0, now = full && slots_[slot] == take_;
    const bool urgent = control.action == segue::a_engine;
    fill_box(control.box, now || urgent ? segue::accent : full ? segue::raised : segue::panel);
    if (!now) frame_box(control.box, full ? segue::accent : segue::edge);
    const std::string name = slot < 0 ? control.name : full ? control.name : std::string(control.name) + " –";
    say(control.box.x + control.box.w / 2, control.box.y + control.box.h / 2, name, 13,
        now || urgent ? segue::on_accent : slot >= 0 && !full ? segue::dim : segue::words, center, control.box.w - 8);
}

// The tip of the control below the pointer, after a while.
void SegueWindow::draw_tip() {
    if (hovered_ < 0 || typing_ >= 0 || dragged_ >= 0 || segue::monotonic_ns() - hovered_ns_ < tip_ns) return;
    const Control& control = controls_[hovered_];
    Rectangle<float> bounds;
    fontSize(12);
    const float width = std::min(textBounds(0, 0, control.tip, nullptr, bounds) + 16, logical_width() - 16), height = 24;
    const float x = std::clamp(control.box.x, 8.0f, logical_width() - width - 8);
    const bool below = control.box.y + control.box.h + height + 8 < logical_height() - 20;
    const float y = below ? control.box.y + control.box.h + 4 : control.box.y - height - 4;
    fill_box({x, y, width, height}, 0xf4f1e8, 4);
    say(x + 8, y + height / 2, control.tip, 12, 0x22252b, left, width - 16);
}

void SegueWindow::draw_foot() {
    const float y = logical_height() - 20;
    say(14, logical_height() - 65, "Takes", 12, segue::dim, left);
    if (!said_.empty())
        say(14, y, said_, 12, segue::accent, left, logical_width() - 28);
    else {
        const std::string port = "control port " + std::to_string(static_cast<int>(values_[segue::p_port] + 0.5f));
        const float used = say(logical_width() - 14, y, port, 12, segue::dim, right);
        say(14, y, "Double click or Enter: type a value. Shift: finer. Tab: next control. Right click on A to D: keep",
            12, segue::dim, left, logical_width() - 44 - used);
    }
}

END_NAMESPACE_DISTRHO
