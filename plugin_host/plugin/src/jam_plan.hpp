// The plan of a jam: plugin_host/jam/plan.py with its modes, without presses, in C++. A test runs both on equal beats. MIT.
//
//   bar line - lead            bar line
//        |  ordered                |  the change is heard
//   -----|-------------------------|---------------->
//
// Bars and beats count from the bar on which the jam began. Nothing here knows the engine, a clock or a device.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace segue {

// As the Jam parameter counts; 1 is what songs of before have where "Follow input" was on.
enum JamMode { jam_off, jam_accompany, jam_trade, jam_continue, jam_loop };
enum JamPhase { phase_none, phase_count_in, phase_listening, phase_playing, phase_both, phase_held, phase_stopped };

struct JamOrder {
    enum Kind { answer, accompany, relisten, vary, stop, repeat } kind;
    int64_t bar;
    int bars;           // 0: until it is stopped
    double begin, end;  // beats that it listens to, or repeats
};

// A beat at which the plan is looked at. `every_bars`: how often it may listen, see JamPace.
struct JamMoment {
    double beats, beats_per_bar;
    int lead_beats = 1, every_bars = 1;
    bool playing = false;  // the player plays, or did within the last beat
    double tempo_bpm = 120;
    // The first bar whose music can still be made; without a lead the next bar.
    int64_t reachable(int lead) const;
    double bar_beats(int64_t bar) const { return static_cast<double>(bar) * beats_per_bar; }
};

class JamPlan {
public:
    // `bars` 0 takes the mode's own number.
    JamPlan(JamMode mode, int bars);
    // Enter what is heard from now on, and give the orders that are due; called on every beat.
    std::vector<JamOrder> tick(const JamMoment& now);
    // The music ordered for a bar begins on a later one: so does its change.
    void moved(int64_t bar, int64_t to_bar);
    JamPhase phase() const { return phase_; }
    // Of what comes next; -1: nothing that is planned.
    int64_t change_bar() const { return change_ && change_->to != phase_ ? change_->bar : -1; }
    int bars() const { return bars_; }
    static int usual_bars(JamMode mode);

private:
    enum Build { nothing, answer, stop, accompany, pass };
    struct Change {
        int64_t bar;
        JamPhase to;
        Build build = nothing;
        bool quick = false, ordered = false;
    };
    bool sounds(JamPhase phase) const { return phase == phase_playing || phase == phase_both || phase == phase_held; }
    void follow(int64_t bar);
    void enter(const Change& change);
    void listen(const JamMoment& now, std::vector<JamOrder>& orders);
    void listen_for_the_player(const JamMoment& now);
    void build(const Change& change, const JamMoment& now, std::vector<JamOrder>& orders);
    JamOrder conversation(int64_t bar, const JamMoment& now) const;
    JamOrder window(JamOrder::Kind kind, int64_t bar, const JamMoment& now) const;

    const JamMode mode_;
    const int bars_;
    JamPhase phase_ = phase_listening, phase_before_ = phase_listening;
    int64_t since_ = 0, since_before_ = 0;
    std::optional<Change> change_;
    bool was_heard_ = false;  // the player, since it is her turn
    bool plain_ = false;      // the next pass is the loop as it is
    int64_t next_ = 0;        // bar from which the next listening is heard
    int64_t loop_ = 0;        // first bar of the loop
};

// How long the engine takes from listening to sound: plugin_host/jam/pace.py in C++.
class JamPace {
public:
    void took(double seconds);
    void was_late(double allowed_seconds) { took(1.25 * allowed_seconds); }
    // The music since the last listening was whole, or the engine fell behind and left gaps.
    void listened(bool fell_behind);
    double p95_seconds() const;
    int lead_beats(double tempo_bpm) const;
    int every_bars(int bars, double beats_per_bar, double tempo_bpm) const;

private:
    std::deque<double> seconds_;
    int slower_ = 0;  // how often the interval was doubled
    int good_ = 0;    // listenings since then that left no gap
};

}  // namespace segue
