// The file in which windows remember: see window_memory.hpp. MIT.
#include "window_memory.hpp"

#include <cstdio>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_order.hpp"

namespace segue {

namespace {

const char* const file_name = "plugin-window";
constexpr unsigned least = 300, most = 8000;

}  // namespace

// The first line is the size, each further one a prompt.
WindowMemory read_window_memory() {
    WindowMemory memory;
    std::ifstream file(user_file(file_name));
    unsigned width = 0, height = 0;
    std::string line;
    if (!std::getline(file, line)) return memory;
    if (std::sscanf(line.c_str(), "%u %u", &width, &height) == 2 && width >= least && width <= most &&
        height >= least && height <= most) {
        memory.width = width;
        memory.height = height;
    }
    while (std::getline(file, line))
        if (!line.empty()) memory.prompts.push_back(line);
    return memory;
}

// Written beside and renamed: another window may read it.
void write_window_memory(const WindowMemory& memory) {
    const std::string path = user_file(file_name), part = path + "." + std::to_string(getpid());
    for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
        mkdir(path.substr(0, at).c_str(), 0700);
    std::ofstream file(part, std::ios::trunc);
    file << memory.width << ' ' << memory.height << '\n';
    for (const std::string& prompt : memory.prompts) file << prompt << '\n';
    file.close();
    if (file.fail() || std::rename(part.c_str(), path.c_str()) != 0) unlink(part.c_str());
}

}  // namespace segue
