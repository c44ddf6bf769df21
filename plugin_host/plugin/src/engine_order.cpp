// How to start the engine: see engine_order.hpp. POSIX (Linux, macOS). MIT.
#include "engine_order.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <pwd.h>
#include <spawn.h>
#include <unistd.h>

extern char** environ;

namespace segue {

namespace {

constexpr int kept = 3;
const std::string own_folder = "/segue";
// Of a DAW that brings its own libraries: they are not the engine's.
const char* const daws_own[] = {"LD_LIBRARY_PATH=", "LD_PRELOAD=", "DYLD_LIBRARY_PATH=", "DYLD_INSERT_LIBRARIES=",
                                "PYTHONHOME="};

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string home() {
    const std::string known = environment("HOME");
    if (!known.empty()) return known;
    const passwd* user = getpwuid(getuid());
    return user && user->pw_dir ? user->pw_dir : "";
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> all;
    for (const std::string& word : words) all.push_back(const_cast<char*>(word.c_str()));
    all.push_back(nullptr);
    return all;
}

std::vector<char*> clean_environment() {
    std::vector<char*> all;
    for (char** at = environ; *at; ++at) {
        bool own = false;
        for (const char* name : daws_own) own = own || std::strncmp(*at, name, std::strlen(name)) == 0;
        if (!own) all.push_back(*at);
    }
    all.push_back(nullptr);
    return all;
}

}  // namespace

std::string user_file(const char* name) {
#ifdef __APPLE__
    return home() + "/Library/Application Support" + own_folder + "/" + name;
#else
    const std::string config = environment("XDG_CONFIG_HOME");
    return (config.empty() ? home() + "/.config" : config) + own_folder + "/" + name;
#endif
}

EngineOrder read_engine_order() {
    EngineOrder order;
    const std::string chosen = environment("SEGUE_PLUGIN_ENGINE");
    const std::string path = chosen.empty() ? user_file("plugin-engine") : chosen;
    if (path == "off") {
        order.off = true;
        return order;
    }
    std::ifstream file(path);
    std::string line;
    const bool known = file.good();
    while (std::getline(file, line)) {
        const size_t at = line.find('=');
        if (line.empty() || line[0] == '#' || at == std::string::npos) continue;
        const std::string key = line.substr(0, at), value = line.substr(at + 1);
        if (key == "folder") order.folder = value;
        if (key == "run") order.run.push_back(value);
        if (key == "panel") order.panel.push_back(value);
    }
    if (order.folder.empty()) order.run.clear();
    order.off = known && order.run.empty();
    return order;
}

// posix_spawn shares the memory until the program runs: a fork would make the audio thread's pages copied on write.
int spawn(const std::vector<std::string>& words, const std::string& log, int keep) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    if (posix_spawn_file_actions_init(&files) != 0) return -1;
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    if (keep >= 0) posix_spawn_file_actions_adddup2(&files, keep, kept);
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2})
        sigaddset(&usual, number);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &usual);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid = -1;
    const int fault = posix_spawn(&pid, words[0].c_str(), &files, &how, pointers(words).data(),
                                  clean_environment().data());
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    errno = fault;
    return fault == 0 ? pid : -1;
}

}  // namespace segue
