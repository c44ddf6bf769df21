// A library to preload: counts what an audio thread must not call, in the stretches that it marks. MIT.
// rt_enter() and rt_leave() mark a stretch of the calling thread; rt_counted(kind) says how many calls there were.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { ALLOCATIONS, LOCKS, FILES, SLEEPS, KINDS };
static __thread int inside;
static long counts[KINDS];

void rt_enter(void) { inside = 1; }
void rt_leave(void) { inside = 0; }
long rt_counted(int kind) { return counts[kind]; }

static void seen(int kind) {
    if (inside) __atomic_fetch_add(&counts[kind], 1, __ATOMIC_RELAXED);
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);
void *malloc(size_t n) { return seen(ALLOCATIONS), __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return seen(ALLOCATIONS), __libc_calloc(n, size); }
void *realloc(void *old, size_t n) { return seen(ALLOCATIONS), __libc_realloc(old, n); }
void *memalign(size_t to, size_t n) { return seen(ALLOCATIONS), __libc_memalign(to, n); }
void *aligned_alloc(size_t to, size_t n) { return seen(ALLOCATIONS), __libc_memalign(to, n); }
int posix_memalign(void **out, size_t to, size_t n) {
    seen(ALLOCATIONS);
    *out = __libc_memalign(to, n);
    return *out ? 0 : ENOMEM;
}
void free(void *p) { seen(ALLOCATIONS), __libc_free(p); }

#define CALL(kind, type, name, parameters, values)         \
    type name parameters {                                 \
        static type(*real) parameters;                     \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
        seen(kind);                                        \
        return real values;                                \
    }
CALL(LOCKS, int, pthread_mutex_lock, (pthread_mutex_t * m), (m))
CALL(LOCKS, int, pthread_rwlock_rdlock, (pthread_rwlock_t * m), (m))
CALL(LOCKS, int, pthread_rwlock_wrlock, (pthread_rwlock_t * m), (m))
CALL(LOCKS, int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t *m), (c, m))
CALL(LOCKS, int, sem_wait, (sem_t * s), (s))
CALL(FILES, ssize_t, read, (int file, void *data, size_t n), (file, data, n))
CALL(FILES, ssize_t, write, (int file, const void *data, size_t n), (file, data, n))
CALL(FILES, int, close, (int file), (file))
CALL(FILES, ssize_t, send, (int s, const void *data, size_t n, int flags), (s, data, n, flags))
CALL(FILES, ssize_t, recv, (int s, void *data, size_t n, int flags), (s, data, n, flags))
CALL(FILES, ssize_t, sendto, (int s, const void *data, size_t n, int flags, const struct sockaddr *to, socklen_t size),
     (s, data, n, flags, to, size))
CALL(SLEEPS, int, nanosleep, (const struct timespec *pause, struct timespec *left), (pause, left))
CALL(SLEEPS, int, clock_nanosleep, (clockid_t c, int flags, const struct timespec *pause, struct timespec *left),
     (c, flags, pause, left))
CALL(SLEEPS, int, usleep, (useconds_t n), (n))

int open(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "open");
    va_list more;
    va_start(more, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    seen(FILES);
    return real(path, flags, mode);
}

long syscall(long number, ...) {
    static long (*real)(long, ...);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    va_list more;
    va_start(more, number);
    long values[6];
    for (int i = 0; i < 6; ++i) values[i] = va_arg(more, long);
    va_end(more);
    seen(LOCKS);  // a futex, mostly
    return real(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}
