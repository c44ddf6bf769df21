// Named shared memory: see segment.hpp. POSIX (Linux, macOS). MIT.
#include "segment.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <csignal>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segue_bus.h"

namespace segue {

// A zombie process has a number but does not run.
static bool zombie(int64_t pid) {
    char text[512];
    const int file = open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    if (n <= 0) return false;
    text[n] = 0;
    const char* name_end = std::strrchr(text, ')');
    return name_end && name_end[1] == ' ' && name_end[2] == 'Z';
}

bool pid_alive(int64_t pid) {
    const bool there = pid > 0 && pid < INT32_MAX && (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM);
    return there && !zombie(pid);
}

void populate(void* begin, size_t bytes) {
    const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const uintptr_t first = reinterpret_cast<uintptr_t>(begin) / page * page;
    const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + bytes + page - 1) / page * page;
#if defined(__linux__)
    constexpr int populate_write = 23;  // MADV_POPULATE_WRITE, Linux 5.14, which older headers lack
    if (madvise(reinterpret_cast<void*>(first), last - first, populate_write) == 0 || errno != EINVAL) return;
#endif
    for (uintptr_t at = first; at < last; at += page) __atomic_fetch_or(reinterpret_cast<uint8_t*>(at), 0, __ATOMIC_RELAXED);
}

std::string segment_name(int pid, int number) {
    return "segue-" + std::to_string(pid) + "-" + std::to_string(number);
}

bool valid_name(const std::string& name) {
    size_t dash = name.find('-', 6);
    if (name.compare(0, 6, "segue-") != 0 || dash == std::string::npos) return false;
    std::string pid = name.substr(6, dash - 6), number = name.substr(dash + 1);
    bool digits = (pid + number).find_first_not_of("0123456789") == std::string::npos;
    return digits && !pid.empty() && pid.size() <= 10 && !number.empty() && number.size() <= 6;
}

std::unique_ptr<Segment> Segment::attach(const std::string& name, size_t least_bytes, std::string& why) {
    if (!valid_name(name)) {
        why = "the engine named a ring that is none";
        return nullptr;
    }
    int file = shm_open(("/" + name).c_str(), O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) {
        why = "no shared memory named " + name + ": " + std::strerror(errno);
        return nullptr;
    }
    struct stat about {};
    if (fstat(file, &about) != 0 || about.st_uid != geteuid() || about.st_size < static_cast<off_t>(least_bytes)) {
        why = "shared memory " + name + " is another user's or too small";
        close(file);
        return nullptr;
    }
    size_t bytes = static_cast<size_t>(about.st_size);
    void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (data == MAP_FAILED) {
        why = "shared memory " + name + " cannot be mapped: " + std::strerror(errno);
        close(file);
        return nullptr;
    }
    return std::unique_ptr<Segment>(new Segment(name, file, static_cast<uint8_t*>(data), bytes, false));
}

std::unique_ptr<Segment> Segment::create(const std::string& name, size_t bytes, std::string& why) {
    std::string path = "/" + name;
    shm_unlink(path.c_str());  // the name has our own process id: a segment of that name was left by a dead process
    int file = shm_open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    int failed = file < 0 ? errno : (ftruncate(file, static_cast<off_t>(bytes)) != 0 ? errno : 0);
#ifdef __linux__
    if (failed == 0) failed = posix_fallocate(file, 0, static_cast<off_t>(bytes));
#endif
    void* data = failed ? MAP_FAILED : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (data == MAP_FAILED) {
        why = "no shared memory of " + std::to_string(bytes) + " bytes: " + std::strerror(failed ? failed : errno);
        if (file >= 0) {
            close(file);
            shm_unlink(path.c_str());
        }
        return nullptr;
    }
    return std::unique_ptr<Segment>(new Segment(name, file, static_cast<uint8_t*>(data), bytes, true));
}

bool Segment::cut() const {
    struct stat about {};
    return fstat(file_, &about) != 0 || about.st_size < static_cast<off_t>(bytes_);
}

void Segment::populate() { segue::populate(data_, bytes_); }

std::string Segment::fault() const {
    struct stat about {};
    if (cut()) return "the engine's shared memory was cut short";
    if (fstat(file_, &about) == 0 && about.st_nlink == 0) return "the engine has gone";
    return "";
}

Segment::Segment(std::string name, int file, uint8_t* data, size_t bytes, bool own)
    : name_(std::move(name)), file_(file), data_(data), bytes_(bytes), watched_(segue_bus_watch(data, bytes)),
      own_(own) {}

Segment::~Segment() {
    segue_bus_forget(watched_);
    munmap(data_, bytes_);
    close(file_);
    if (own_) shm_unlink(("/" + name_).c_str());
}

}  // namespace segue
