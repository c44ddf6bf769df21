// The window's mouse and keyboard: see window.hpp. MIT.
#include "window.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "words.hpp"

START_NAMESPACE_DISTRHO

namespace {

constexpr uint64_t double_click_ns = 400000000u;
constexpr uint32_t key_tab = 0x09, key_return = 0x0D, key_space = 0x20;

bool with_control(uint mod) { return mod & (kModifierControl | kModifierSuper); }

}  // namespace

bool SegueWindow::onMouse(const MouseEvent& event) {
    if (!event.press) {
        const bool was = dragged_ >= 0;
        if (was) editParameter(static_cast<uint32_t>(controls_[dragged_].parameter), false);
        dragged_ = -1;
        return was;
    }
    const int index = control_at(event.pos.getX(), event.pos.getY());
    const uint64_t now = segue::monotonic_ns();
    const bool twice = index >= 0 && index == clicked_ && now - clicked_ns_ < double_click_ns;
    if (typing_ >= 0 && index != typing_) end_typing(true);
    clicked_ = index;
    clicked_ns_ = now;
    focused_ = index;
    repaint();
    if (index < 0) return false;
    getWindow().focus();
    const Control& control = controls_[index];
    const bool keep = event.button == 3 || (event.mod & kModifierShift);
    if (control.kind == segue::c_number && !twice) {
        dragged_ = index;
        drag_x_ = static_cast<float>(event.pos.getX()) / scale();
        drag_share_ = segue::share_of(control.parameter, values_[control.parameter]);
        editParameter(static_cast<uint32_t>(control.parameter), true);
    } else if (control.kind == segue::c_choice) {
        press_choice(control, event.pos.getX() / scale());
    } else if (control.kind == segue::c_prompt && typing_ == index) {
        line().end();
    } else {
        use(index, keep);
    }
    return true;
}

void SegueWindow::press_choice(const Control& control, double x) {
    const double share = (x - control.box.x) / control.box.w;
    const int n = segue::n_choices(control.parameter), at = static_cast<int>(share * n);
    set(control.parameter, static_cast<float>(std::min(std::max(at, 0), n - 1)));
}

bool SegueWindow::onMotion(const MotionEvent& event) {
    if (dragged_ >= 0) {
        const Control& control = controls_[dragged_];
        if (control.parameter == segue::p_take) return true;
        const float fine = event.mod & kModifierShift ? 0.1f : 1.0f;
        const float moved = (static_cast<float>(event.pos.getX()) / scale() - drag_x_) / control.box.w * fine;
        const float value = segue::value_at(control.parameter, drag_share_ + moved);
        if (value != values_[control.parameter]) {
            values_[control.parameter] = value;
            setParameterValue(static_cast<uint32_t>(control.parameter), value);
            repaint();
        }
        return true;
    }
    const int index = control_at(event.pos.getX(), event.pos.getY());
    if (index != hovered_) {
        hovered_ = index;
        hovered_ns_ = segue::monotonic_ns();
        setCursor(index >= 0 && controls_[index].kind == segue::c_prompt ? kMouseCursorCaret : kMouseCursorArrow);
        repaint();
    }
    return index >= 0;
}

bool SegueWindow::onScroll(const ScrollEvent& event) {
    const int index = control_at(event.pos.getX(), event.pos.getY());
    if (index < 0 || controls_[index].kind != segue::c_number || controls_[index].parameter == segue::p_take) return false;
    const int parameter = controls_[index].parameter;
    const float step = event.delta.getY() > 0 ? 1.0f : -1.0f, now = values_[parameter];
    const bool whole = segue::rows[parameter].kind == 'i';
    set(parameter, whole ? now + step : segue::value_at(parameter, segue::share_of(parameter, now) + step * 0.02f));
    return true;
}

// -- typing -------------------------------------------------------------------------------------------

void SegueWindow::begin_typing(int index) {
    const Control& control = controls_[index];
    if (dragged_ >= 0) editParameter(static_cast<uint32_t>(controls_[dragged_].parameter), false);
    dragged_ = -1;
    typing_ = focused_ = index;
    if (control.kind == segue::c_number) {
        const float value = values_[control.parameter];
        const bool whole = segue::rows[control.parameter].kind == 'i';
        char text[32];
        std::snprintf(text, sizeof text, "%.*f", whole ? 0 : 2, static_cast<double>(value));
        for (char* at = text; *at; ++at)
            if (*at == ',') *at = '.';
        line().set(text);
        line().select_all();
    }
    repaint();
}

// Enter, or a click elsewhere: what was typed counts. Escape: it does not.
void SegueWindow::end_typing(bool accept) {
    const int index = typing_;
    if (index < 0) return;
    const Control& control = controls_[index];
    float value = 0;
    if (control.kind == segue::c_prompt && accept) {
        link_.set_prompt(prompt_line_.text());
        prompt_line_.remember();
    } else if (control.kind == segue::c_prompt) {
        prompt_line_.set(link_.view().prompt);
    } else if (accept && segue::parse_value(control.parameter, line().text(), value)) {
        set(control.parameter, value);
    } else if (accept) {
        said_ = std::string(control.name) + " takes a number";
    }
    typing_ = -1;
    repaint();
}

// Keys reach the DAW unless something is typed or a control was chosen by keyboard.
bool SegueWindow::onKeyboard(const KeyboardEvent& event) {
    if (!event.press) return typing_ >= 0;
    repaint();
    if (typing_ >= 0) return edit_key(event);
    return walk_key(event);
}

bool SegueWindow::onCharacterInput(const CharacterInputEvent& event) {
    if (typing_ < 0 || event.character < 0x20 || event.character == 0x7F || with_control(event.mod)) return typing_ >= 0;
    line().insert(event.string);
    repaint();
    return true;
}

bool SegueWindow::edit_key(const KeyboardEvent& event) {
    const bool prompt = typing_ == prompt_;
    if (with_control(event.mod)) return command_key(event.key);
    switch (event.key) {
    case key_return: end_typing(true); break;
    case kKeyEscape: end_typing(false); break;
    case key_tab:
        end_typing(true);
        focus_next(event.mod & kModifierShift ? -1 : 1);
        break;
    case kKeyBackspace: line().erase(true); break;
    case kKeyDelete: line().erase(false); break;
    case kKeyLeft: line().move(-1); break;
    case kKeyRight: line().move(1); break;
    case kKeyHome: line().home(); break;
    case kKeyEnd: line().end(); break;
    case kKeyUp:
        if (prompt) line().step(-1);
        break;
    case kKeyDown:
        if (prompt) line().step(1);
        break;
    default: break;
    }
    return true;
}

bool SegueWindow::command_key(uint32_t key) {
    const std::string& text = line().text();
    if (key == 'a' || key == 'A') line().select_all();
    if (key == 'v' || key == 'V') paste();
    const bool cut = key == 'x' || key == 'X';
    if (key == 'c' || key == 'C' || cut) setClipboard("text/plain", text.c_str(), text.size() + 1);
    if (cut) line().set("");
    return true;
}

void SegueWindow::paste() {
    size_t size = 0;
    const void* data = getClipboard(size);
    if (!data || size == 0) return;
    const char* text = static_cast<const char*>(data);
    line().insert(std::string(text, strnlen(text, size)));
}

bool SegueWindow::walk_key(const KeyboardEvent& event) {
    if (event.key == key_tab && !with_control(event.mod)) {
        focus_next(event.mod & kModifierShift ? -1 : 1);
        return true;
    }
    if (focused_ < 0) return false;
    const Control& control = controls_[focused_];
    const bool steps = control.kind == segue::c_number || control.kind == segue::c_choice;
    if (event.key == key_return || (event.key == key_space && control.kind != segue::c_number)) {
        use(focused_, event.mod & kModifierShift);
    } else if (steps && (event.key == kKeyLeft || event.key == kKeyRight)) {
        const int parameter = control.parameter;
        const float step = event.key == kKeyRight ? 1.0f : -1.0f, now = values_[parameter];
        const bool fine = segue::rows[parameter].kind == 'f';
        set(parameter, fine ? segue::value_at(parameter, segue::share_of(parameter, now) + step * 0.01f) : now + step);
    } else if (event.key == kKeyEscape) {
        focused_ = -1;
    } else {
        return false;
    }
    return true;
}

void SegueWindow::focus_next(int step) {
    const int n = static_cast<int>(controls_.size());
    for (int tried = 0; tried < n; ++tried) {
        focused_ = focused_ < 0 ? (step > 0 ? 0 : n - 1) : (focused_ + step + n) % n;
        if (shown(controls_[focused_])) return;
    }
}

END_NAMESPACE_DISTRHO
