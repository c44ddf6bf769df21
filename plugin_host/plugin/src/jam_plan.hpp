// The plan of a jam: plugin_host/jam/plan.py with its modes in C++. A test runs both on equal beats and presses. MIT.
//
//   bar line - lead            bar line
//        |  ordered                |  the change is heard
//   -----|-------------------------|---------------->
//     may still be cancelled
//
// Bars and beats count from the bar on which the jam began. Nothing here knows the engine, a clock or a device.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace segue {

// As the Jam parameter counts; 1 is what songs of before have where "Follow input" was on.
enum JamMode { jam_off, jam_accompany, jam_trade, jam_continue, jam_loop };
enum JamPhase { phase_none, phase_count_in, phase_listening, phase_playing, phase_both, phase_held, phase_stopped };
// As the parameters of the presses follow each other, and `jam_verbs` of the table of messages.
enum JamVerb { verb_play_stop, verb_take_over, verb_again, verb_keep, verb_hold, verb_record, verb_undo, verb_cancel };

struct JamOrder {
    enum Kind { answer, accompany, relisten, vary, stop, repeat, release } kind;
    int64_t bar = 0;
    int bars = 0;               // 0: until it is stopped, or released
    double begin = 0, end = 0;  // beats that it listens to, or repeats
    bool own = false;           // that music is Segue's, not the player's
};

struct JamPress {
    JamVerb verb;
    int bars = 0;  // of a record; 0: the mode's own number
};

// The bar from which a press is heard; of one that is refused, the bar at which it came.
struct JamReply {
    bool accepted = false;
    int64_t bar = 0;
    std::string text;
    bool later = false;  // that bar is yet to come
    // The text, with the number that the bar has for the player.
    std::string said(int64_t number) const { return later ? text + ", at bar " + std::to_string(number) : text; }
};

// A beat at which the plan is looked at. `every_bars`: how often it may listen, see JamPace.
struct JamMoment {
    double beats, beats_per_bar;
    int lead_beats = 1, every_bars = 1;
    bool playing = false;  // the player plays, or did within the last beat
    double tempo_bpm = 120;
    int64_t bar() const;
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
    // The music ordered for a bar begins on a later one, or is to be ordered again: so does its change.
    void moved(int64_t bar, int64_t to_bar, bool ordered = true);
    // A press that came at a beat: for the nearest bar line, or the next one possible.
    JamReply press(const JamPress& press, double at_beats, const JamMoment& now);
    JamPhase phase() const { return phase_; }
    // Of what comes next; -1: nothing that is planned.
    int64_t change_bar() const;
    int bars() const { return bars_; }
    static int usual_bars(JamMode mode);

private:
    enum Build { nothing, answer, stop, accompany, pass, repeat, release, back, recorded };
    enum Then { none, passed, kept };
    struct Music {
        int64_t first = 0;  // bar
        bool own = false;
        int bars = 0;
    };
    struct Heard {
        double begin = 0, end = 0;
    };
    struct Change {
        int64_t bar;
        JamPhase to;
        Build build = nothing;
        bool quick = false;
        std::string text{};
        Music music{};    // of a repeat: its bars, and what becomes the loop
        int repeats = 0;  // bars; 0: until it is released
        Heard heard{};    // of a way back
        Then then = none;
        int press = -1;  // the verb that asked for it; -1: it comes by itself
        bool ordered = false;
    };
    // What comes of a press: a change, or an outcome in words; an outcome that is accepted is done.
    struct Outcome {
        std::optional<Change> change;
        std::string text;
        bool accepted = false;
    };
    static bool sounds(JamPhase phase) { return phase == phase_playing || phase == phase_both || phase == phase_held; }
    static Outcome refused(std::string text) { return {std::nullopt, std::move(text), false}; }
    static Outcome done(std::string text) { return {std::nullopt, std::move(text), true}; }
    JamPhase usual() const { return mode_ == jam_accompany || mode_ == jam_loop ? phase_both : phase_playing; }
    int turn_bars() const;
    void put(Change change);
    void drop_automatic();
    void follow(int64_t bar);
    std::optional<Change> following(int64_t bar);
    Change next_pass(int64_t bar) const;
    void enter(const Change& change);
    void listen(const JamMoment& now, std::vector<JamOrder>& orders);
    void listen_for_the_player(const JamMoment& now);
    void build(const Change& change, const JamMoment& now, std::vector<JamOrder>& orders);
    JamOrder conversation(int64_t bar, const JamMoment& now) const;
    Heard window(const JamMoment& now) const;
    Heard note(Heard heard);
    Change repeated(int64_t at, JamPhase to, Music music, int repeats, const char* text) const;
    // Presses: jam_presses.cpp.
    bool pending() const;
    JamReply take_back(size_t number, const JamMoment& now);
    Outcome pressed(const JamPress& press, int64_t bar, const JamMoment& now);
    Outcome press_play_stop(int64_t bar, const JamMoment& now);
    Outcome press_take_over(int64_t bar, const JamMoment& now);
    Outcome press_again(int64_t bar, const JamMoment& now);
    Outcome press_keep(int64_t bar);
    Outcome press_hold(int64_t bar, const JamMoment& now);
    Outcome hold_turn(const JamMoment& now);
    Outcome press_record(int bars, int64_t bar, const JamMoment& now);
    Outcome press_undo(int64_t bar, const JamMoment& now);

    const JamMode mode_;
    int bars_;
    JamPhase phase_ = phase_listening, phase_before_ = phase_listening;
    int64_t since_ = 0, since_before_ = 0;
    std::vector<Change> changes_;  // by bar
    std::optional<Change> entered_;
    std::optional<int64_t> sounds_from_;
    std::optional<Music> last_;  // Segue's last music
    bool turn_held_ = false;
    bool was_heard_ = false;     // the player, since it is her turn
    bool plain_ = false;         // the next pass is the loop as it is
    int64_t next_ = 0;           // bar from which the next listening is heard
    std::optional<Heard> kept_;  // what an accompaniment stays with
    std::deque<Heard> music_for_;  // newest last
    std::vector<Music> loops_;     // recorded or kept, newest last
};

// How long the engine takes from listening to sound: plugin_host/jam/timing.py in C++.
class JamPace {
public:
    void took(double seconds);
    // The engine begins only what comes so far ahead of its beat, whatever it takes in the end.
    void needs(double seconds);
    void was_late(double allowed_seconds) { took(allowed_seconds); }
    // The music since the last listening was whole, or the engine fell behind and left gaps.
    void listened(bool fell_behind);
    double p95_seconds() const;
    int lead_beats(double tempo_bpm) const;
    int every_bars(int bars, double beats_per_bar, double tempo_bpm) const;

private:
    std::deque<double> seconds_, needs_;
    int slower_ = 0;  // how often the interval was doubled
};

}  // namespace segue
