// A library to preload: makes one of the file calls of a process fail, or ends the process at it.
// arm(n, mode): the n-th call from now on; calls() says how many there were. Only calls that change something count.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { ONCE, FULL, DEAD, KILL, TORN };  // fails once; disk full from there on; all fail from there on; end before, within

static int armed, at, mode, count;

void arm(int n, int kind) { armed = 1, at = n, mode = kind, count = 0; }
void disarm(void) { armed = 0; }
int calls(void) { return count; }

// Whether this call fails; `grows` for those that need room on the disk.
static int fails(int grows) {
    if (!armed) return 0;
    ++count;
    if (mode == KILL && count == at) _exit(99);
    if (mode == ONCE) return count == at;
    if (mode == DEAD) return count >= at;
    return mode == FULL && grows && count >= at;
}

static int error(void) {
    errno = mode == FULL ? ENOSPC : EIO;
    return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                                       \
    int name(const char *path, int flags, ...) {                         \
        va_list more;                                                    \
        va_start(more, flags);                                           \
        mode_t permissions = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                    \
        if (flags & O_CREAT && fails(1)) return error();                 \
        return REAL(name)(path, flags, permissions);                     \
    }
OPEN(open)
OPEN(open64)

#define WRITE(name, parameters, whole, half)                   \
    ssize_t name parameters {                                  \
        if (armed && mode == TORN && count + 1 == at) {        \
            (void)!REAL(name) half;                            \
            _exit(99);                                         \
        }                                                      \
        return fails(1) ? error() : REAL(name) whole;          \
    }
WRITE(write, (int file, const void *data, size_t size), (file, data, size), (file, data, size / 2))
WRITE(pwrite, (int file, const void *data, size_t size, off_t to), (file, data, size, to), (file, data, size / 2, to))
WRITE(pwrite64, (int file, const void *data, size_t size, off64_t to), (file, data, size, to), (file, data, size / 2, to))

#define CALL(name, grows, parameters, values) \
    int name parameters { return fails(grows) ? error() : REAL(name) values; }
CALL(fsync, 0, (int file), (file))
CALL(fdatasync, 0, (int file), (file))
CALL(ftruncate, 1, (int file, off_t size), (file, size))
CALL(ftruncate64, 1, (int file, off64_t size), (file, size))
CALL(rename, 0, (const char *from, const char *to), (from, to))
CALL(link, 1, (const char *from, const char *to), (from, to))
CALL(unlink, 0, (const char *path), (path))
CALL(mkdir, 1, (const char *path, mode_t permissions), (path, permissions))
