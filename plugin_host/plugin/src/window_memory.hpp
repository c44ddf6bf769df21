// What windows remember from one to the next: their size, and the prompts that were entered. A small file. MIT.
#pragma once
#include <string>
#include <vector>

namespace segue {

struct WindowMemory {
    unsigned width = 800, height = 500;  // at a scale of 1
    std::vector<std::string> prompts;    // the newest last
};

WindowMemory read_window_memory();
void write_window_memory(const WindowMemory& memory);

}  // namespace segue
