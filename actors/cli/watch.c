/* watch - see watch.h. */
#include "actors/cli/watch.h"

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "protocol/limits.h"

int64_t watch_now_at(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static void enders(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGTERM);
}

void watch_open(struct watch *self)
{
    sigset_t signals;
    enders(&signals);
    int error = sigprocmask(SIG_BLOCK, &signals, NULL);
    assert(error == 0);
    self->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    assert(self->signals >= 0);
}

void watch_close(struct watch *self)
{
    struct signalfd_siginfo info;
    sigset_t signals;
    while (read(self->signals, &info, sizeof info) > 0)
        ; /* what was caught has had its effect */
    (void)close(self->signals);
    self->signals = -1;
    enders(&signals);
    int error = sigprocmask(SIG_UNBLOCK, &signals, NULL);
    assert(error == 0);
}

bool watch_wait(struct watch *self, struct fact *handle, int64_t wait_ms)
{
    int64_t until_at = watch_now_at() + wait_ms * US_PER_MS, left_us = wait_ms * US_PER_MS;
    do {
        struct pollfd items[2] = {{.fd = self->signals, .events = POLLIN},
                                  {.fd = fact_descriptor(handle), .events = POLLIN}};
        const struct timespec wait = {left_us / US_PER_S, left_us % US_PER_S * 1000};
        (void)ppoll(items, 2, &wait, NULL);
        if (items[0].revents != 0)
            return false;
        if (items[1].revents != 0)
            fact_process(handle);
        left_us = until_at - watch_now_at();
    } while (left_us > 0);
    return true;
}

void watch_clear(FILE *out)
{
    if (isatty(fileno(out)) == 1)
        fputs("\x1b[H\x1b[2J", out); /* home, and erase: ECMA-48 */
    else
        fputc('\n', out);
}
