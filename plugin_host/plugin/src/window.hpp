// The plugin's window: shows its state and turns its parameters through the host. MIT.
//
// It runs on the host's thread for windows. It reads parameters as the host gives them, and the rest by the messages
// of `WindowLink`; it never touches the plugin's own memory.
#pragma once
#include "DistrhoUI.hpp"

#include <array>
#include <string>
#include <vector>

#include "window_controls.hpp"
#include "window_link.hpp"
#include "window_memory.hpp"
#include "window_text.hpp"

START_NAMESPACE_DISTRHO

class SegueWindow : public UI {
public:
    SegueWindow();
    ~SegueWindow() override;

protected:
    void parameterChanged(uint32_t index, float value) override;
    void stateChanged(const char* key, const char* value) override;
    void uiIdle() override;
    void onNanoDisplay() override;
    bool onMouse(const MouseEvent& event) override;
    bool onMotion(const MotionEvent& event) override;
    bool onScroll(const ScrollEvent& event) override;
    bool onKeyboard(const KeyboardEvent& event) override;
    bool onCharacterInput(const CharacterInputEvent& event) override;
    void onResize(const ResizeEvent& event) override;
    void uiScaleFactorChanged(double scale) override;

private:
    using Control = segue::Control;
    using Box = segue::Box;

    // What the user does: window.cpp, window_input.cpp.
    float scale() const { return static_cast<float>(getScaleFactor()); }
    float logical_width() const { return static_cast<float>(getWidth()) / scale(); }
    float logical_height() const { return static_cast<float>(getHeight()) / scale(); }
    void keep_least_size(double factor);
    int control_at(double x, double y) const;
    bool shown(const Control& control) const;
    void set(int parameter, float value);
    void use(int control, bool keep);
    void press_choice(const Control& control, double x);
    void act(int action, bool keep);
    void slot(int number, bool keep);
    void note_take(int seed);
    void undo();
    void new_take();
    void open_panel();
    void begin_typing(int control);
    void end_typing(bool accept);
    segue::TextLine& line() { return typing_ == prompt_ ? prompt_line_ : value_line_; }
    bool edit_key(const KeyboardEvent& event);
    bool command_key(uint32_t key);
    bool walk_key(const KeyboardEvent& event);
    void focus_next(int step);
    void paste();

    // What it looks like: window_draw.cpp, window_sound.cpp.
    void color(unsigned rgb, float alpha = 1.0f);
    void fill_box(const Box& box, unsigned rgb, float round = 5, float alpha = 1.0f);
    void frame_box(const Box& box, unsigned rgb, float width = 1, float round = 5);
    float say(float x, float y, const std::string& text, float size, unsigned rgb, int align, float width = 0);
    std::string shortened(const std::string& text, float size, float width);
    void draw_head();
    void draw_control(int index);
    void draw_prompt(const Control& control, bool typed);
    void draw_toggle(const Control& control);
    void draw_choice(const Control& control);
    void draw_number(const Control& control, bool typed);
    void draw_action(const Control& control);
    void draw_typed(const Box& box, const segue::TextLine& typed, float size);
    void draw_clock();
    void draw_waves();
    struct Wave {
        std::string name, remark, letters;
        unsigned rgb;
        bool bars;  // with bar lines
    };
    void draw_wave(const Box& box, const Wave& wave);
    void draw_bar_lines(const Box& box, size_t columns);
    void draw_meter(const Box& box, float level_db);
    void draw_tip();
    void draw_foot();

    std::vector<Control> controls_;
    std::array<float, segue::p_count> values_{};
    segue::WindowLink link_;
    segue::WindowMemory memory_;
    segue::TextLine prompt_line_, value_line_{16};
    int prompt_ = 0, hovered_ = -1, focused_ = -1, typing_ = -1, dragged_ = -1, clicked_ = -1;
    float drag_share_ = 0, drag_x_ = 0;
    uint64_t hovered_ns_ = 0, clicked_ns_ = 0, drawn_ns_ = 0, turn_on_ns_ = 0;
    std::array<int, segue::n_slots> slots_{};  // takes; 0: empty
    std::vector<int> takes_;                   // that were played before the present one
    int take_ = 0;
    bool undoing_ = false, sized_ = false;
    float meters_[2] = {-100, -100};
    std::string said_;                         // in the foot, until the next action
    int panel_ = -1;                           // process that opens it

    DISTRHO_DECLARE_NON_COPYABLE_WITH_LEAK_DETECTOR(SegueWindow)
};

END_NAMESPACE_DISTRHO
