// Named shared memory of this user: create, attach, check, unlink. MIT.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace segue {

// Map the pages from `begin` on, writable, before the audio thread uses them. Writes nothing.  [session]
void populate(void* begin, size_t bytes);
bool pid_alive(int64_t pid);                    // [session]
std::string segment_name(int pid, int number);  // "segue-<pid>-<number>"
bool valid_name(const std::string& name);       // only segue-<digits>-<digits> is opened

class Segment {
public:
    // Null and a reason in `why` if there is none, or it is another user's or smaller than `least_bytes`.  [session]
    static std::unique_ptr<Segment> attach(const std::string& name, size_t least_bytes, std::string& why);
    // A zeroed one with its pages allocated: a full /dev/shm is an error here, not a SIGBUS later.  [session]
    static std::unique_ptr<Segment> create(const std::string& name, size_t bytes, std::string& why);
    ~Segment();

    // Its fault, or empty: truncated (reading it would kill the host), or removed.  [session]
    std::string fault() const;
    bool cut() const;
    // Map all its pages into this process, so that the audio thread causes no page fault.  [session]
    void populate();
    uint8_t* data() const { return data_; }
    size_t bytes() const { return bytes_; }
    const std::string& name() const { return name_; }

private:
    Segment(std::string name, int file, uint8_t* data, size_t bytes, bool own);
    std::string name_;
    int file_;
    uint8_t* data_;
    size_t bytes_;
    int watched_;  // number in segue_bus.h: a truncated segment reads as zeros
    bool own_;
};

}  // namespace segue
