// The plugin's window: its life, and what its controls do. See window.hpp. MIT.
#include "window.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/wait.h>

#include "engine_order.hpp"
#include "words.hpp"

START_NAMESPACE_DISTRHO

namespace {

constexpr unsigned least_width = 640, least_height = 440;
constexpr uint64_t second_ns = 1000000000u;
constexpr uint64_t off_ns = 150000000u;  // a host's longest block
constexpr size_t takes_max = 64;

}  // namespace

SegueWindow::SegueWindow()
    : controls_(segue::make_controls()), memory_(segue::read_window_memory()), prompt_line_(segue::text_max) {
    for (int i = 0; i < segue::p_count; ++i) values_[i] = segue::rows[i].initial;
    prompt_line_.history = memory_.prompts;
    loadSharedResources();
    const double factor = getScaleFactor();
    keep_least_size(factor);
    setSize(static_cast<uint>(memory_.width * factor), static_cast<uint>(memory_.height * factor));
    segue::lay_out(controls_, logical_width(), logical_height());
    sized_ = true;
}

SegueWindow::~SegueWindow() {
    segue::WindowMemory now = segue::read_window_memory();  // another window may have written its prompts
    const bool grown = prompt_line_.history != memory_.prompts;
    if (!grown && memory_.width == now.width && memory_.height == now.height) return;
    now.width = memory_.width;
    now.height = memory_.height;
    if (grown) now.prompts = prompt_line_.history;
    segue::write_window_memory(now);
}

void SegueWindow::keep_least_size(double factor) {
    setGeometryConstraints(static_cast<uint>(least_width * factor), static_cast<uint>(least_height * factor), false,
                           false);
}

void SegueWindow::onResize(const ResizeEvent& event) {
    UI::onResize(event);
    if (!sized_ || event.size.getWidth() == 0) return;
    memory_.width = static_cast<unsigned>(static_cast<float>(event.size.getWidth()) / scale() + 0.5f);
    memory_.height = static_cast<unsigned>(static_cast<float>(event.size.getHeight()) / scale() + 0.5f);
    segue::lay_out(controls_, logical_width(), logical_height());
    repaint();
}

void SegueWindow::uiScaleFactorChanged(const double factor) {
    keep_least_size(factor);
    setSize(static_cast<uint>(memory_.width * factor), static_cast<uint>(memory_.height * factor));
    segue::lay_out(controls_, logical_width(), logical_height());
}

void SegueWindow::parameterChanged(const uint32_t index, const float value) {
    if (index >= segue::p_count) return;
    if (values_[index] != value) repaint();
    values_[index] = value;
    if (index == segue::p_port) link_.at(static_cast<int>(value + 0.5f));
    if (index == segue::p_seed) note_take(static_cast<int>(value + (value < 0 ? -0.5f : 0.5f)));
}

// The song's kept takes: four numbers.
void SegueWindow::stateChanged(const char* key, const char* value) {
    if (std::strcmp(key, "takes") != 0) return;
    slots_ = {};
    std::sscanf(value, "%d %d %d %d", &slots_[0], &slots_[1], &slots_[2], &slots_[3]);
    repaint();
}

void SegueWindow::uiIdle() {
    const uint64_t now = segue::monotonic_ns();
    if (panel_ > 0 && waitpid(panel_, nullptr, WNOHANG) != 0) panel_ = -1;
    if (turn_on_ns_ && now >= turn_on_ns_) {
        turn_on_ns_ = 0;
        set(segue::p_generate, 1);
    }
    if (link_.poll()) {
        const segue::View& view = link_.view();
        const float levels[2] = {static_cast<float>(view.input_db), static_cast<float>(view.music_db)};
        for (int i = 0; i < 2; ++i) meters_[i] = std::max(levels[i], meters_[i] - 2.5f);
        if (typing_ != prompt_ && !link_.prompt_on_its_way() && prompt_line_.text() != view.prompt)
            prompt_line_.set(view.prompt);
        repaint();
    } else if (now - drawn_ns_ > second_ns / 4 && (typing_ >= 0 || hovered_ >= 0)) {
        repaint();  // the cursor blinks, a tip appears
    }
}

// -- what controls do ---------------------------------------------------------------------------------

bool SegueWindow::shown(const Control& control) const {
    return control.action != segue::a_engine || link_.view().failed;
}

int SegueWindow::control_at(double x, double y) const {
    for (size_t i = 0; i < controls_.size(); ++i)
        if (shown(controls_[i]) && controls_[i].box.has(x / scale(), y / scale())) return static_cast<int>(i);
    return -1;
}

// Through the host, which records it as automation.
void SegueWindow::set(int parameter, float value) {
    value = segue::limited(parameter, value);
    values_[parameter] = value;
    editParameter(static_cast<uint32_t>(parameter), true);
    setParameterValue(static_cast<uint32_t>(parameter), value);
    editParameter(static_cast<uint32_t>(parameter), false);
    repaint();
}

void SegueWindow::use(int index, bool keep) {
    const Control& control = controls_[index];
    said_.clear();
    if (control.kind == segue::c_toggle) set(control.parameter, values_[control.parameter] > 0.5f ? 0.0f : 1.0f);
    if (control.kind == segue::c_prompt || control.kind == segue::c_number) begin_typing(index);
    if (control.kind == segue::c_choice) {
        const int now = static_cast<int>(values_[control.parameter] + 0.5f);
        set(control.parameter, static_cast<float>((now + 1) % segue::n_choices(control.parameter)));
    }
    if (control.kind == segue::c_action) act(control.action, keep);
}

void SegueWindow::act(int action, bool keep) {
    if (action == segue::a_panel) open_panel();
    if (action == segue::a_engine) link_.start_engine();
    if (action == segue::a_undo) undo();
    if (action == segue::a_new_take) new_take();
    if (action == segue::a_clear) {
        set(segue::p_clear, 0);
        set(segue::p_clear, 4);
    }
    if (action >= segue::a_slot) slot(action - segue::a_slot, keep);
}

// An empty one keeps the present take, a full one plays its take. The song saves them.
void SegueWindow::slot(int number, bool keep) {
    if (slots_[number] > 0 && !keep) {
        set(segue::p_take, static_cast<float>(slots_[number]));
        return;
    }
    if (take_ <= 0) {
        said_ = "There is no take yet: turn Generate on";
        return;
    }
    slots_[number] = take_;
    char text[64];
    std::snprintf(text, sizeof text, "%d %d %d %d", slots_[0], slots_[1], slots_[2], slots_[3]);
    setState("takes", text);
}

void SegueWindow::note_take(int seed) {
    if (seed <= 0 || seed == take_) return;
    if (take_ > 0 && !undoing_) takes_.push_back(take_);
    if (takes_.size() > takes_max) takes_.erase(takes_.begin());
    undoing_ = false;
    take_ = seed;
    repaint();
}

void SegueWindow::undo() {
    if (takes_.empty()) {
        said_ = "There is no take before this one";
        return;
    }
    undoing_ = true;
    set(segue::p_take, static_cast<float>(takes_.back()));
    takes_.pop_back();
}

// Take 0 is a new one at each Generate, which is turned off for some blocks.
void SegueWindow::new_take() {
    const bool numbered = values_[segue::p_take] > 0, on = values_[segue::p_generate] > 0.5f;
    if (numbered) set(segue::p_take, 0);
    if (on && numbered) return;
    if (on) set(segue::p_generate, 0);
    turn_on_ns_ = segue::monotonic_ns() + (on ? off_ns : 0);
}

void SegueWindow::open_panel() {
    const segue::EngineOrder order = segue::read_engine_order();
    if (order.panel.empty() || order.folder.empty()) {
        said_ = "Where the panel is was not written down: run `segue plugin install`";
        return;
    }
    if (panel_ > 0) {
        said_ = "The panel is being opened";
        return;
    }
    panel_ = segue::spawn(order.panel, order.folder + "/panel.log", -1);
    said_ = panel_ > 0 ? "The panel opens in your browser" : order.panel[0] + ": " + std::strerror(errno);
}

UI* createUI() { return new SegueWindow(); }

END_NAMESPACE_DISTRHO
