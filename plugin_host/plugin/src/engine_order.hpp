// What `segue plugin install` wrote down: how to start the engine and the panel. See engine_order.py. MIT.
#pragma once
#include <string>
#include <vector>

namespace segue {

struct EngineOrder {
    std::string folder;               // of the engine's lock, log and end
    std::vector<std::string> run;     // program and arguments; empty: the plugin starts no engine
    std::vector<std::string> panel;
    bool off = false;                 // the user wants none to be started
};

std::string user_file(const char* name);  // in the user's folder of settings, which may be missing  [any]
EngineOrder read_engine_order();  // [session]

// Run a program in its own process, without this process's signal handling. `keep` becomes its descriptor 3, `log`
// its output; its number, or -1 with errno.  [session]
int spawn(const std::vector<std::string>& words, const std::string& log, int keep);

}  // namespace segue
