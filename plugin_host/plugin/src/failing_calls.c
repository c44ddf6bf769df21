// A library to preload: makes one of the file calls of a process fail, or ends the process at it.
// arm(n, mode): the n-th call from now on; calls() says how many there were. Only calls that change something count.
// A file that is given its name before it was flushed to the disk ends the process with 97; unflushed() says how many
// files have been written to, and not flushed since; of SQLite's files only its log (-wal), which has what its database
// (.db) gets later, and from which its index (-shm) is made anew.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { ONCE, FULL, DEAD, KILL, TORN };  // fails once; disk full from there on; all fail from there on; end before, within

static int armed, at, mode, count;

static int n_written;

void arm(int n, int kind) { armed = 1, at = n, mode = kind, count = n_written = 0; }
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

enum { FILES = 64 };
static ino_t written[FILES];

static int find(ino_t inode) {
    for (int i = 0; i < n_written; ++i)
        if (written[i] == inode) return i;
    return -1;
}

static void flushed(ino_t inode) {
    int i = find(inode);
    if (i >= 0) written[i] = written[--n_written];
}

static void wrote(int file) {
    struct stat about;
    char link[64], name[4096];
    if (!armed || fstat(file, &about) || !S_ISREG(about.st_mode) || find(about.st_ino) >= 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, name, sizeof name);
    if (n > 4 && (!memcmp(name + n - 4, "-shm", 4) || !memcmp(name + n - 3, ".db", 3))) return;
    if (n_written == FILES) _exit(96);
    written[n_written++] = about.st_ino;
}

static void flush_of(int file) {
    struct stat about;
    if (!fstat(file, &about)) flushed(about.st_ino);
}

static void named(const char *from) {
    struct stat about;
    if (armed && !lstat(from, &about) && find(about.st_ino) >= 0) _exit(97);
}

static void removed(const char *path) {
    struct stat about;
    if (!lstat(path, &about) && about.st_nlink < 2) flushed(about.st_ino);
}

int unflushed(void) { return n_written; }

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
        if (fails(1)) return error();                          \
        wrote(file);                                           \
        return REAL(name) whole;                               \
    }
WRITE(write, (int file, const void *data, size_t size), (file, data, size), (file, data, size / 2))
WRITE(pwrite, (int file, const void *data, size_t size, off_t to), (file, data, size, to), (file, data, size / 2, to))
WRITE(pwrite64, (int file, const void *data, size_t size, off64_t to), (file, data, size, to), (file, data, size / 2, to))

#define CALL(name, grows, parameters, values, also) \
    int name parameters {                           \
        if (fails(grows)) return error();           \
        also;                                       \
        return REAL(name) values;                   \
    }
CALL(fsync, 0, (int file), (file), flush_of(file))
CALL(fdatasync, 0, (int file), (file), flush_of(file))
CALL(ftruncate, 1, (int file, off_t size), (file, size), (void)0)
CALL(ftruncate64, 1, (int file, off64_t size), (file, size), (void)0)
CALL(rename, 0, (const char *from, const char *to), (from, to), named(from))
CALL(link, 1, (const char *from, const char *to), (from, to), named(from))
CALL(unlink, 0, (const char *path), (path), removed(path))
CALL(mkdir, 1, (const char *path, mode_t permissions), (path, permissions), (void)0)
CALL(fchmod, 0, (int file, mode_t permissions), (file, permissions), (void)0)
CALL(fchown, 0, (int file, uid_t owner, gid_t group), (file, owner, group), (void)0)
