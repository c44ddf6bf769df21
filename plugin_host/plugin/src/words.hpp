// Words of shared memory: one load or store each, ordered as docs/shared_memory.md requires. MIT.
#pragma once
#include <cstdint>
#include <ctime>

namespace segue {

template <class T> inline T acquired(const T& word) {
    T value;
    __atomic_load(const_cast<T*>(&word), &value, __ATOMIC_ACQUIRE);
    return value;
}

template <class T> inline T relaxed(const T& word) {
    T value;
    __atomic_load(const_cast<T*>(&word), &value, __ATOMIC_RELAXED);
    return value;
}

template <class T, class V> inline void release(T& word, V value) {
    T stored = static_cast<T>(value);
    __atomic_store(&word, &stored, __ATOMIC_RELEASE);
}

template <class T, class V> inline void put(T& word, V value) {
    T stored = static_cast<T>(value);
    __atomic_store(&word, &stored, __ATOMIC_RELAXED);
}

// A full fence. ThreadSanitizer does not know fences: with it every word is ordered.
inline void fence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

// The machine's monotonic clock, the same as the engine's. No system call on Linux and macOS.  [any]
inline uint64_t monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace segue
