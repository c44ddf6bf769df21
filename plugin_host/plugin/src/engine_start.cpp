// Starts the engine: see engine_start.hpp. POSIX (Linux, macOS). MIT.
#include "engine_start.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "params.hpp"
#include "words.hpp"

namespace segue {

namespace {

constexpr uint64_t second_ns = 1000000000u;
constexpr uint64_t first_ns = second_ns;        // without an answer: there is no engine
constexpr uint64_t again_ns = 10 * second_ns;   // one that was lost may be restarted by others
constexpr uint64_t slow_ns = 60 * second_ns;
constexpr time_t recent_seconds = 60;
constexpr int exit_done = 0, exit_port = 3, exit_model = 4;  // of the engine: EXIT_... in engine/serve/options.py

void make_folder(const std::string& path) {
    for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
        mkdir(path.substr(0, at).c_str(), 0700);
        if (at == std::string::npos) return;
    }
}

}  // namespace

EngineStart::EngineStart() : state_(engine_absent) {}

EngineStart::~EngineStart() { unlock(); }

std::string EngineStart::file(int port, const char* kind) const {
    return order_.folder + "/engine-" + std::to_string(port) + "." + kind;
}

bool EngineStart::starting() const { return state_ == engine_starting; }

bool EngineStart::failed() const {
    return state_ == engine_start_failed || state_ == engine_model_failed || state_ == engine_port_taken ||
           state_ == engine_ended;
}

void EngineStart::answered() {
    look_at_launcher();
    state_ = engine_absent;
    why_.clear();
    model_.clear();
    was_there_ = true;
    launched_ = pressed_ = on_request_ = false;
    absent_ns_ = 0;
}

// After a failure of its model: with the embedded one, which comes with Segue.
void EngineStart::press(const std::string& model) {
    if (!failed() && state_ != engine_absent) return;
    model_ = model.empty() && state_ == engine_model_failed ? "embedded" : model;
    pressed_ = state_ != engine_absent || !model.empty();
    launched_ = on_request_ = false;
    state_ = engine_absent;
    why_.clear();
}

void EngineStart::fail(int state, const std::string& why) {
    state_ = state;
    why_ = why;
    launched_ = pressed_ = false;
}

EngineStart::Lock EngineStart::lock(int port) {
    lock_ = open(file(port, "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_ < 0) return none;
    const int high = fcntl(lock_, F_DUPFD_CLOEXEC, 10);  // `spawn` needs another number than that of its copy
    close(lock_);
    lock_ = high;
    if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return ours;
    const bool other = errno == EWOULDBLOCK;
    unlock();
    return other ? held : none;
}

void EngineStart::unlock() {
    if (lock_ >= 0) close(lock_);
    lock_ = -1;
}

// The launcher ends at once, once the engine has a process of its own. Another one may have waited for it.
void EngineStart::look_at_launcher() {
    int how = 0;
    if (launcher_ > 0 && waitpid(launcher_, &how, WNOHANG) != 0) launcher_ = -1;
}

void EngineStart::none_answers(int port) {
    const uint64_t now = monotonic_ns();
    if (!absent_ns_) absent_ns_ = now;
    look_at_launcher();
    if (failed() && !pressed_) return;
    order_ = read_engine_order();
    if (order_.run.empty()) {
        state_ = engine_absent;
        why_ = order_.off ? "the plugin starts none: run `segue engine`" : "run `segue plugin install`, or `segue engine`";
        return;
    }
    make_folder(order_.folder);
    switch (lock(port)) {
    case none:
        fail(engine_start_failed, file(port, "lock") + " cannot be locked: " + std::strerror(errno));
        return;
    case held:
        if (state_ != engine_starting) started_ns_ = now;
        state_ = engine_starting;
        launched_ = true;
        why_ = now - started_ns_ < slow_ns ? "the engine is being started"
                                           : "it has not answered for a minute, see " + file(port, "log");
        return;
    case ours:
        break;
    }
    if (launcher_ < 0 && !ended(port)) start(port);
    unlock();
}

// Whether none is to be started: it has failed, ended on request, or may come back.
bool EngineStart::ended(int port) {
    if (pressed_) return false;
    const uint64_t now = monotonic_ns();
    struct stat about {};
    const std::string path = file(port, "end");
    const bool there = stat(path.c_str(), &about) == 0;
    const bool recent = there && std::time(nullptr) - about.st_mtime < recent_seconds;
    int code = exit_done;
    std::string why;
    if (there) {
        std::ifstream words(path);
        words >> code;
        std::getline(words >> std::ws, why);
    }
    if ((launched_ || recent) && code != exit_done) {
        const int state = code == exit_model ? engine_model_failed : code == exit_port ? engine_port_taken
                                                                                       : engine_start_failed;
        fail(state, why.empty() ? "it ended with code " + std::to_string(code) : why);
        return true;
    }
    if (launched_ && !was_there_ && !there) {
        fail(engine_start_failed, "it ended without a word, see " + file(port, "log"));
        return true;
    }
    if (on_request_ || (launched_ && recent)) {
        fail(engine_ended, "it was ended: turn Generate on to start it");
        return true;
    }
    return now - absent_ns_ < (was_there_ ? again_ns : first_ns);
}

void EngineStart::start(int port) {
    std::vector<std::string> words = order_.run;
    if (!model_.empty()) words.insert(words.end(), {"--model", model_, "--device", "auto"});
    words.push_back(std::to_string(port));
    unlink(file(port, "end").c_str());
    launcher_ = spawn(words, file(port, "log"), lock_);
    if (launcher_ < 0) {
        fail(engine_start_failed, words[0] + ": " + std::strerror(errno) + "; run `segue plugin install` again");
        return;
    }
    launched_ = true;
    pressed_ = false;
    started_ns_ = monotonic_ns();
    state_ = engine_starting;
    why_ = "the engine is being started";
}

}  // namespace segue
