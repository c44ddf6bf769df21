// One jam of a session, used by its thread: see session.hpp. MIT.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "jam_leak.hpp"
#include "jam_memory.hpp"
#include "jam_plan.hpp"

namespace segue {

struct SessionJam {
    int mode = jam_off, bars_knob = 0;
    std::unique_ptr<JamMemory> memory;
    std::unique_ptr<JamLeak> leak;
    std::optional<JamPlan> plan;
    JamPace pace;
    JamMemory::Stretch played;  // up to where it was looked at, and the stretch in which it plays
    int64_t first_bar = 0;      // the bar of the stretch on which the plan began
    int64_t bar = 0;            // of the next beat to be looked at, from there on
    int beat = 0;
    bool player_plays = false;
    unsigned has = 0;  // bit of a role: the engine listens to music of the jam
    int64_t seed = -1, plays = 0;
    float late = 0;                      // how often the engine was, up to the last listening
    JamMemory::Stretch over;             // what had been played when another engine came
    std::map<double, std::vector<float>> loops;  // by the beat on which they begin
    struct Due {
        JamOrder order;
        JamMoment now;
    };
    std::deque<Due> orders;  // for the engine
    struct {
        int64_t bar = -1, host_bar = 0;  // of the last play: its bar, the host's as it was told
        int64_t until = -1;              // its end, if the host's cycle hides it from the engine
    } told;
    // A new melody or style on its way: when it was given, when the engine came to its beat, the plan before it.
    struct {
        uint64_t given_ns = 0, reached_ns = 0, asked_ns = 0;
        int64_t plan_revision = 0;
        double beats = 0;
    } on_its_way;
};

}  // namespace segue
