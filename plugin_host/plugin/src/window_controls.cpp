// The window's controls: see window_controls.hpp. MIT.
#include "window_controls.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace segue {

namespace {

constexpr float margin = 14, gap = 8;
constexpr int n_numbers = 6;

const char* const slot_tip = "Empty: keeps this take. Full: plays that take again. Right click: keeps this one there";

// Numbers of bars are set finely where they are small.
bool bent(int parameter) { return parameter == p_bars; }

}  // namespace

std::vector<Control> make_controls() {
    return {
        {c_prompt, -1, a_none, "Prompt", "What the music is like. Enter sets it; up and down bring back earlier ones"},
        {c_toggle, p_generate, a_none, "Generate", "On: Segue plays from the next bar line. Off: it ends on one"},
        {c_toggle, p_capture, a_none, "Capture",
         "Records what you play, once: the loop, or Capture bars from a bar line"},
        {c_choice, p_mode, a_none, "Mode",
         "What captured music is used for: its melody, its style, or to go on from it"},
        {c_choice, p_jam, a_none, "Jam", "You and Segue play together, by turns or at once"},
        {c_number, p_bars, a_none, "Bars", "How many bars Segue plays; 0: until Generate is off"},
        {c_number, p_capture_bars, a_none, "Capture bars",
         "How many bars are captured, or a turn of a jam has; 0: the loop"},
        {c_number, p_creativity, a_none, "Creativity", "Low: it repeats itself. High: it dares"},
        {c_number, p_guidance, a_none, "Guidance", "How closely it follows the prompt and what was captured"},
        {c_number, p_level, a_none, "Level", "Loudness of Segue's music"},
        {c_number, p_ahead, a_none, "Seconds ahead", "How far ahead music is made: less reacts sooner, more is safer"},
        {c_action, -1, a_slot + 0, "A", slot_tip},
        {c_action, -1, a_slot + 1, "B", slot_tip},
        {c_action, -1, a_slot + 2, "C", slot_tip},
        {c_action, -1, a_slot + 3, "D", slot_tip},
        {c_number, p_take, a_none, "Take", "0: a new take each time. Any other number is always the same take"},
        {c_action, -1, a_new_take, "New take", "Another take of the same prompt, from the next bar line"},
        {c_action, -1, a_undo, "Undo", "Back to the take before"},
        {c_action, -1, a_clear, "Clear captured", "Removes what was captured"},
        {c_action, -1, a_panel, "Open panel", "Opens Segue's panel in your browser"},
        {c_action, -1, a_engine, "Start engine", "Starts the engine; after its model failed, with the embedded one"},
    };
}

Box clock_box(float width) { return {margin, 146, width - 2 * margin, 50}; }

Box waves_box(float width, float height) { return {margin, 204, width - 2 * margin, height - 204 - 152}; }

void lay_out(std::vector<Control>& controls, float width, float height) {
    const float inner = width - 2 * margin, sliders = height - 142, takes = height - 82;
    const float slider = (inner - (n_numbers - 1) * gap) / n_numbers;
    const float button = std::min(120.0f, inner * 0.16f), lists = inner - 2 * button - 3 * gap;
    int number = 0;
    float at = margin + 50;
    for (Control& control : controls) {
        Box& box = control.box;
        if (control.kind == c_prompt) box = {margin, 48, inner, 36};
        if (control.parameter == p_generate) box = {margin, 94, button, 42};
        if (control.parameter == p_capture) box = {margin + button + gap, 94, button, 42};
        if (control.parameter == p_mode) box = {margin + 2 * (button + gap), 94, lists * 0.34f, 42};
        if (control.parameter == p_jam)
            box = {margin + 2 * (button + gap) + lists * 0.34f + gap, 94, lists * 0.66f, 42};
        if (control.kind == c_number && control.parameter != p_take)
            box = {margin + number++ * (slider + gap), sliders, slider, 48};
        if (control.action >= a_slot) {
            box = {at, takes, inner * 0.085f, 34};
            at += box.w + gap;
        }
        if (control.parameter == p_take) {
            box = {at, takes, inner * 0.14f, 34};
            at += box.w + gap;
        }
        if (control.action == a_new_take || control.action == a_undo || control.action == a_clear) {
            box = {at, takes, (width - margin - (margin + 50 + 4 * (inner * 0.085f + gap) + inner * 0.14f + gap) -
                               2 * gap) / 3, 34};
            at += box.w + gap;
        }
        if (control.action == a_panel) box = {width - margin - 104, 10, 104, 28};
        if (control.action == a_engine) box = {width - margin - 104 - gap - 112, 10, 112, 28};
    }
}

int n_choices(int parameter) { return static_cast<int>(rows[parameter].high) + 1; }

std::string value_text(int parameter, float value) {
    const int whole = static_cast<int>(std::lround(value));
    if (rows[parameter].zero && whole == static_cast<int>(rows[parameter].low)) return rows[parameter].zero;
    if (rows[parameter].kind == 'e') return choice_at(parameter, whole);
    if (rows[parameter].kind == 'b') return whole ? "on" : "off";
    char text[48];
    if (rows[parameter].kind == 'i')
        std::snprintf(text, sizeof text, "%d", whole);
    else
        std::snprintf(text, sizeof text, parameter == p_level || parameter == p_ahead ? "%.1f %s" : "%.2f%s",
                      static_cast<double>(value), parameter == p_ahead ? "s" : rows[parameter].unit);
    return text;
}

bool parse_value(int parameter, const std::string& text, float& value) {
    std::string plain = text;
    std::replace(plain.begin(), plain.end(), ',', '.');
    double number = 0;
    int used = 0;
    // Not `strtod`: its decimal point is that of the host's language.
    long whole = 0;
    if (std::sscanf(plain.c_str(), " %ld%n", &whole, &used) != 1 && plain.find('.') == std::string::npos) return false;
    number = static_cast<double>(std::labs(whole));
    const size_t point = plain.find('.');
    double place = 0.1;
    for (size_t i = point; point != std::string::npos && i + 1 < plain.size(); ++i, place /= 10) {
        const char digit = plain[i + 1];
        if (digit < '0' || digit > '9') break;
        number += place * (digit - '0');
    }
    value = limited(parameter, static_cast<float>(plain.find('-') < plain.find_first_of("0123456789") ? -number : number));
    return true;
}

float limited(int parameter, float value) {
    const Row& row = rows[parameter];
    const float inside = std::clamp(value, row.low, row.high);
    return row.kind == 'f' ? inside : std::round(inside);
}

float share_of(int parameter, float value) {
    const Row& row = rows[parameter];
    const float share = (value - row.low) / (row.high - row.low);
    return bent(parameter) ? std::sqrt(share) : share;
}

float value_at(int parameter, float share) {
    const Row& row = rows[parameter];
    const float inside = std::clamp(share, 0.0f, 1.0f);
    return limited(parameter, row.low + (bent(parameter) ? inside * inside : inside) * (row.high - row.low));
}

}  // namespace segue
