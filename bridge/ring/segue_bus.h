// Shared memory that is truncated while it is mapped: missing pages read as zeros, instead of SIGBUS. C and C++. MIT.
//
// Reading a page behind the end of a file kills the process. This handler maps a page of zeros in its place, marks the
// mapping as hit, and repeats the instruction. Other faults go to the previous handler of SIGBUS.
#ifndef SEGUE_BUS_H
#define SEGUE_BUS_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEGUE_BUS_MAPPINGS 512

struct segue_bus_mapping {
    uintptr_t start, end;  // start is set last and cleared first
    int taken, hit;
};

static struct segue_bus_mapping segue_bus_mappings[SEGUE_BUS_MAPPINGS];
static struct sigaction segue_bus_before;
static int segue_bus_installed;
static uintptr_t segue_bus_page;

static void segue_bus_pass_on(int number, siginfo_t *info, void *context) {
    if (segue_bus_before.sa_flags & SA_SIGINFO) {
        segue_bus_before.sa_sigaction(number, info, context);
    } else if (segue_bus_before.sa_handler != SIG_DFL && segue_bus_before.sa_handler != SIG_IGN) {
        segue_bus_before.sa_handler(number);
    } else {
        signal(number, SIG_DFL);  // the repeated instruction ends the process, as without this handler
    }
}

static void segue_bus_handle(int number, siginfo_t *info, void *context) {
    const uintptr_t at = (uintptr_t)info->si_addr;
    for (int i = 0; i < SEGUE_BUS_MAPPINGS; ++i) {
        struct segue_bus_mapping *one = &segue_bus_mappings[i];
        const uintptr_t start = __atomic_load_n(&one->start, __ATOMIC_ACQUIRE);
        if (!start || at < start || at >= one->end) continue;
        void *page = (void *)(at & ~(segue_bus_page - 1));
        const int how = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
        if (mmap(page, segue_bus_page, PROT_READ | PROT_WRITE, how, -1, 0) == MAP_FAILED) break;
        __atomic_store_n(&one->hit, 1, __ATOMIC_RELEASE);
        return;
    }
    segue_bus_pass_on(number, info, context);
}

// Watch a mapping; returns its number, or -1 if there is no room for more.  [any but audio]
static inline int segue_bus_watch(const void *data, size_t bytes) {
    if (!__atomic_exchange_n(&segue_bus_installed, 1, __ATOMIC_ACQ_REL)) {
        struct sigaction ours;
        memset(&ours, 0, sizeof ours);
        segue_bus_page = (uintptr_t)sysconf(_SC_PAGESIZE);
        ours.sa_sigaction = segue_bus_handle;
        ours.sa_flags = SA_SIGINFO;
        sigemptyset(&ours.sa_mask);
        sigaction(SIGBUS, &ours, &segue_bus_before);
    }
    for (int i = 0; i < SEGUE_BUS_MAPPINGS; ++i) {
        struct segue_bus_mapping *one = &segue_bus_mappings[i];
        if (__atomic_exchange_n(&one->taken, 1, __ATOMIC_ACQ_REL)) continue;
        one->end = (uintptr_t)data + bytes;
        __atomic_store_n(&one->hit, 0, __ATOMIC_RELEASE);
        __atomic_store_n(&one->start, (uintptr_t)data, __ATOMIC_RELEASE);
        return i;
    }
    return -1;
}

// Stop watching; call it before the mapping is unmapped.  [any but audio]
static inline void segue_bus_forget(int number) {
    if (number < 0 || number >= SEGUE_BUS_MAPPINGS) return;
    __atomic_store_n(&segue_bus_mappings[number].start, (uintptr_t)0, __ATOMIC_RELEASE);
    __atomic_store_n(&segue_bus_mappings[number].taken, 0, __ATOMIC_RELEASE);
}

// Whether a missing page of it was accessed.  [any]
static inline int segue_bus_hit(int number) {
    return number >= 0 && number < SEGUE_BUS_MAPPINGS &&
           __atomic_load_n(&segue_bus_mappings[number].hit, __ATOMIC_ACQUIRE);
}

#endif
