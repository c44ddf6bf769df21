// The session while there is no engine yet, or none with a model. See session.hpp, engine_start.hpp. MIT.
#include "session.hpp"

namespace segue {

namespace {

constexpr uint64_t second_ns = 1000000000u;
constexpr double status_seconds = 0.4;

}  // namespace

// No engine answers: see to it that one starts. Turning Generate on starts one that has failed or was ended.
void Session::start_engine() {
    const bool on = values_.on(p_generate);
    if (on && !wanted_on_) engine_start_.press("");
    wanted_on_ = on;
    int port;
    {
        std::lock_guard<std::mutex> guard(texts_);
        port = saved_.engine_port;
    }
    engine_start_.none_answers(port);
    unreached_ = engine_start_.state();
    why_ = engine_start_.why();
    if (engine_start_.starting()) retry_ns_ = monotonic_ns() + second_ns / 4;
}

// The engine gives no lane: perhaps its model is on the way.
void Session::not_ready(const Answer& refused) {
    const bool waits = refused.code == error_code::not_ready;
    const Answer status = waits ? link_.ask(address::status, {}, status_seconds) : Answer{};
    const std::string state = status.values.text(0), says = status.values.text(5);
    if (status.good() && state != engine_state_word::loading && status.values.text(1).size()) return;  // ready by now
    if (!status.good() || state != engine_state_word::loading) {
        refuse(refused);
        unreached_ = refused.kind == Answer::refused ? refusal_ : engine_absent;
        return;
    }
    why_ = says;
    const auto at = [&says](const char* stage) { return says.find(stage) != std::string::npos; };
    unreached_ = at(load_stage::downloading)  ? engine_downloading
                 : at(load_stage::warming_up) ? engine_warming
                                              : engine_loading;
    retry_ns_ = monotonic_ns() + second_ns / 4;
}

}  // namespace segue
