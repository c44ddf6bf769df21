// The session thread: finds the engine, keeps the lane open, notices the engine's end. See session.hpp. MIT.
#include "session.hpp"

#include <cmath>
#include <cstdlib>

namespace segue {

namespace {

constexpr int protocol_oldest = 2;
constexpr uint64_t second_ns = 1000000000u;
constexpr double hello_seconds = 0.4, ask_seconds = 5.0;

}  // namespace

Session::Session(Values& values, Shared& shared, Processor& processor, Recorder& recorder, int number)
    : values_(values), shared_(shared), processor_(processor), recorder_(recorder), number_(number),
      link_([this](const Message& message, bool engine) { on_message(message, engine); }, [this] { return idle(); }) {
    const char* port = std::getenv("SEGUE_ENGINE_PORT");
    if (port && std::atoi(port) > 0 && std::atoi(port) < 65536) saved_.engine_port = std::atoi(port);
}

Session::~Session() { stop(); }

void Session::start() {
    if (thread_.joinable()) return;
    stopping_ = false;
    thread_ = std::thread([this] { run(); });
}

void Session::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    processor_.offer(nullptr);
    recorder_.offer(nullptr);
    shared_.memory.store(nullptr);
    if (reader_ && !lost_) link_.tell(address::lane_close, {lane_});
    if (protocol_ > 0) link_.tell(address::bye, {});
    reader_.reset();
    capture_.reset();
    jam_.reset();
    free_retired(true);
}

void Session::run() {
    std::string why;
    if (!link_.open(why)) return;
    show(p_port, link_.port());
    while (!stopping_) {
        try {
            turn();
        } catch (const std::exception&) {  // no memory: only this turn is lost
            link_.wait(0.1);
        }
    }
}

// Called while waiting for an answer: a truncated segment must not be accessed again.
bool Session::idle() {
    const uint64_t now = monotonic_ns();
    if (reader_ && now - check_ns_ > second_ns / 10) {
        check_ns_ = now;
        if (reader_->cut()) processor_.offer(nullptr);
    }
    advance_jam();
    prepare();
    show_state();
    return !stopping_;
}

void Session::turn() {
    free_retired(false);
    opened_or_off();
    follow_clear();
    if (!reader_ || lost_) reach();
    if (reader_ && !lost_ && lost()) lose();
    if (reader_ && !lost_) {
        follow_values();
        follow_capture();
        follow_host();
        follow_generate();
        follow_jam();
        settle();
        look();
    }
    advance_jam();
    prepare();
    show_state();
    link_.wait(reader_ ? 0.02 : 0.05);
}

// Prepare for the audio thread: memory for a bar, and the position up to which the bar of a lost engine is held.
void Session::prepare() {
    processor_.prepare();
    int64_t until = INT64_MIN;
    if (resuming_ && values_.on(p_generate)) {
        const double left = end_beats_ - shared_.beats;
        until = end_beats_ < 0 ? INT64_MAX
                               : shared_.position + std::llround(left * 60 / shared_.tempo * processor_.sample_rate_hz());
    }
    processor_.hold_until(until);
}

// Look for the engine once a second; once its lane is open, attach to the ring.
void Session::reach() {
    if (reader_ && lost_ && !lost()) {  // it was only slow
        lost_ = resuming_ = false;
        return;
    }
    const uint64_t now = monotonic_ns();
    if (now < retry_ns_) return;
    retry_ns_ = now + second_ns;
    {
        std::lock_guard<std::mutex> guard(texts_);
        link_.engine_at(saved_.engine_port);
    }
    const Answer hello = link_.ask(address::hello, {0, "plugin"}, hello_seconds);
    if (hello.kind == Answer::none) {
        start_engine();
        return;
    }
    engine_start_.answered();
    const int64_t protocol = hello.values.whole(0);
    if (!hello.good() || protocol < protocol_oldest || protocol > protocol_version) {
        refuse(hello);
        unreached_ = hello.good() ? engine_foreign : refusal_;
        return;
    }
    protocol_ = static_cast<int>(protocol);
    const int asked = values_.whole(p_lane);
    const int wanted = asked >= 0 ? asked : lane_ >= 0 ? lane_ : saved().lane;
    const int rate = processor_.sample_rate_hz(), channels = processor_.channels();
    Answer opened = link_.ask(address::lane_open, {wanted, rate, channels}, ask_seconds);
    if (!opened.good() && wanted >= 0 && asked < 0)  // another client has it now
        opened = link_.ask(address::lane_open, {-1, rate, channels}, ask_seconds);
    if (!opened.good()) {
        not_ready(opened);
        return;
    }
    lane_ = static_cast<int>(opened.values.whole(0));
    open_lane(opened.values.text(1));
}

void Session::open_lane(const std::string& ring) {
    if (reader_ && reader_->is_ring(ring) && reader_->fault().empty() && reader_->engine_alive()) {
        lost_ = resuming_ = false;
        return;
    }
    std::string why;
    auto reader = RingReader::attach(ring, why);
    const bool fits = reader && reader->sample_rate_hz() == processor_.sample_rate_hz() &&
                      reader->channels() == processor_.channels();
    if (!fits) {
        unreached_ = engine_foreign;
        return;
    }
    processor_.offer(reader.get());
    if (reader_) retire(std::move(reader_), nullptr);
    reader_ = std::move(reader);
    lost_ = false;
    blocks_at_open_ = shared_.blocks;
    ++shared_.engines;
    {
        std::lock_guard<std::mutex> guard(texts_);
        saved_.lane = lane_;
    }
    for (float& sent : sent_) sent = NAN;
    sent_prompt_.clear();
    preset_ = refusal_ = refusals_ = 0;
    unreached_ = engine_absent;
    why_.clear();
    generating_ = playing_ = sounding_ = false;  // all settings are sent again
    in_force_ = 0;
    if (jam_) {
        jam_->plan.reset();
        jam_->orders.clear();
        jam_->memory->look(jam_->over);
        jam_->has = 0;
    }
    for (int role = 0; role < n_roles; ++role)
        if (saved().captured[role].text) to_deliver_ |= 1u << role;
    show(p_lane_now, lane_);
}

bool Session::lost() { return !reader_->fault().empty() || reader_->engine_ended() || !reader_->engine_alive(); }

// The processor repeats its last bar meanwhile.
void Session::lose() {
    lost_ = true;
    resuming_ = resuming_ || playing_;
    shared_.handled_seek_id = ~0u;
    shared_.expecting = false;
    unreached_ = engine_absent;
    retry_ns_ = monotonic_ns() + second_ns / 3;
    if (reader_->cut()) {
        processor_.offer(nullptr);
        retire(std::move(reader_), nullptr);
    }
}

void Session::retire(std::unique_ptr<RingReader> reader, std::unique_ptr<Capture> capture,
                     std::unique_ptr<JamMemory> memory) {
    retired_.push_back({std::move(reader), std::move(capture), std::move(memory)});
}

void Session::free_retired(bool all) {
    for (size_t i = retired_.size(); i-- > 0;) {
        const Retired& old = retired_[i];
        const bool used = (old.reader && processor_.in_use(old.reader.get())) ||
                          (old.capture && recorder_.in_use(old.capture.get())) ||
                          (old.memory && (shared_.memory == old.memory.get() || shared_.memory_held == old.memory.get()));
        if (all || !used) retired_.erase(retired_.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

Saved Session::saved() const {
    std::lock_guard<std::mutex> guard(texts_);
    return saved_;
}

std::string Session::state(const std::string& key) const {
    const Saved saved = this->saved();
    if (key == "prompt") return saved.prompt;
    if (key == "takes") return saved.takes;
    for (int role = 0; role < n_roles; ++role)
        if (key == std::string("captured_") + roles[role])
            return saved.captured[role].text ? *saved.captured[role].text : std::string();
    // Capture is on and has recorded: it does not record again when the song is opened.
    if (key == "armed") return saved.any_captured() && values_.on(p_capture) ? "1" : "0";
    if (key == "engine_port") return std::to_string(saved.engine_port);
    if (key == "lane") return std::to_string(saved.lane);
    if (key == "take") return std::to_string(saved.seed);
    // Thousandths of a beat: no decimal point, which depends on the locale.
    if (key == "start") return std::to_string(std::llround(saved.start_beats * 1000));
    return "";
}

void Session::restore_all(const Saved& saved) {
    std::lock_guard<std::mutex> guard(texts_);
    saved_ = saved;
    if (saved.any_captured() && values_.on(p_capture)) recorder_.had_its_turn();
}

// Restore a song's capture from the key of its role; older songs have one of any role under "captured".
void Session::restore_captured(const std::string& key, const std::string& value) {
    SavedCapture found;
    const bool whole = SavedCapture::look(value, found);
    int role = whole ? found.role : -1;
    for (int i = 0; i < n_roles; ++i)
        if (key == std::string("captured_") + roles[i]) role = i;
    if (role < 0 || (!whole && !value.empty())) return;  // a damaged one replaces nothing
    found.role = role;
    SavedCapture& stored = saved_.captured[role];
    if (!whole && !stored.text) return;
    stored = whole ? found : SavedCapture{};
    to_deliver_ |= 1u << role;
}

// Restore a key of the host's saved state; invalid values are ignored.  [main]
void Session::restore(const std::string& key, const std::string& value) {
    if (key == "takes") {  // also from the window, while it plays
        std::lock_guard<std::mutex> guard(texts_);
        saved_.takes = value.substr(0, text_max);
        return;
    }
    restored_ns_ = monotonic_ns();
    restored_blocks_ = shared_.blocks.load();
    std::lock_guard<std::mutex> guard(texts_);
    if (key.compare(0, 8, "captured") == 0) {
        restore_captured(key, value);
        return;
    }
    if (key == "armed" && value == "1") recorder_.had_its_turn();
    const double number = std::strtod(value.c_str(), nullptr);
    if (key == "prompt") saved_.prompt = value.substr(0, text_max);
    if (value.empty() || !(number >= -1000 && number < 1e12)) return;
    const bool free_port = !std::getenv("SEGUE_ENGINE_PORT") && number >= 1024 && number < 65536;
    if (key == "engine_port" && free_port) saved_.engine_port = static_cast<int>(number);
    if (key == "lane" && number >= -1 && number < lanes_max) saved_.lane = static_cast<int>(number);
    if (key == "take" && number >= -1 && number <= whole_max) saved_.seed = static_cast<int64_t>(number);
    if (key == "start") {
        saved_.start_beats = number < 0 ? -1 : number / 1000;
        reopened_ = true;
    }
}

}  // namespace segue
