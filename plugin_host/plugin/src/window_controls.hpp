// The window's controls: what each is, where it lies, what it says. MIT.
#pragma once
#include <string>
#include <vector>

#include "params.hpp"

namespace segue {

struct Box {
    float x = 0, y = 0, w = 0, h = 0;
    bool has(double px, double py) const { return px >= x && px < x + w && py >= y && py < y + h; }
};

enum ControlKind { c_toggle, c_choice, c_number, c_prompt, c_action };
enum Action { a_none, a_panel, a_engine, a_undo, a_new_take, a_clear, a_slot };  // a_slot + 0..3

struct Control {
    ControlKind kind;
    int parameter;      // -1: none
    int action;         // of c_action
    const char* name;
    const char* tip;
    Box box{};
};

inline constexpr int n_slots = 4;

std::vector<Control> make_controls();
// Where they lie in a window of this size, in units of a scale of 1.
void lay_out(std::vector<Control>& controls, float width, float height);
Box clock_box(float width);
Box waves_box(float width, float height);

std::string value_text(int parameter, float value);            // "-6.0 dB", "until off"
bool parse_value(int parameter, const std::string& text, float& value);  // of typed text; false if it is no number
float limited(int parameter, float value);                     // to its range, whole if it is
float share_of(int parameter, float value);                    // 0 to 1: its place in the range
float value_at(int parameter, float share);
int n_choices(int parameter);

}  // namespace segue
