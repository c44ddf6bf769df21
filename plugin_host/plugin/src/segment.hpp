// Named shared memory of this user: make, attach, check, unlink. MIT.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace segue {

// Have the pages from `begin` on there, writable, before the audio thread touches them. Nothing is written.  [session]
void populate(void* begin, size_t bytes);
bool pid_alive(int64_t pid);                    // [session]
std::string segment_name(int pid, int number);  // "segue-<pid>-<number>"
bool valid_name(const std::string& name);       // nothing but segue-<digits>-<digits> is ever opened

class Segment {
public:
    // Null and a reason in `why` when there is none, it is another user's, or smaller than `least_bytes`.  [session]
    static std::unique_ptr<Segment> attach(const std::string& name, size_t least_bytes, std::string& why);
    // A zeroed one whose pages are there: a full /dev/shm is an error here and not a SIGBUS later.  [session]
    static std::unique_ptr<Segment> create(const std::string& name, size_t bytes, std::string& why);
    ~Segment();

    // What is wrong with it by now, or empty: cut short (touching it would kill the host), or removed.  [session]
    std::string fault() const;
    bool cut() const;
    // Have all its pages in this process's map: the audio thread is to meet none for the first time.  [session]
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
    int watched_;  // by segue_bus.h: a segment that is cut reads as zeros
    bool own_;
};

}  // namespace segue
