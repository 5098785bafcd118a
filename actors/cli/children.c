/* children - see children.h. Between fork and exec only what is safe in a signal handler: ZeroMQ's
 * threads may have held any lock. */
#include "actors/cli/children.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NO_EXEC 127
#define LOG_TAIL_BYTES 2000

/* In the child, and never back. */
static void become(const char *program, char *const *arguments, int log, int parent)
{
    sigset_t none;
    sigemptyset(&none);
    int null = open("/dev/null", O_RDONLY);
    bool good = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && null >= 0 &&
                dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
                dup2(log, STDERR_FILENO) >= 0;
    (void)setpgid(0, 0); /* a Ctrl-C is for us, and we tell them */
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL); /* what is blocked stays so over exec */
    close_range(STDERR_FILENO + 1, ~0u, 0);
    if (good)
        execv(program, arguments);
    const char *reason = strerror(errno);
    (void)!write(STDERR_FILENO, program, strlen(program));
    (void)!write(STDERR_FILENO, ": ", 2);
    (void)!write(STDERR_FILENO, reason, strlen(reason));
    (void)!write(STDERR_FILENO, "\n", 1);
    _exit(EXIT_NO_EXEC);
}

int child_start(const char *program, char *const *arguments, const char *log_path, bool anew)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (anew ? O_TRUNC : 0);
    int log = open(log_path, flags, 0666);
    if (log < 0)
        return 0;
    int parent = getpid();
    int pid = fork();
    if (pid == 0)
        become(program, arguments, log, parent);
    int error = errno;
    close(log);
    errno = error;
    return pid > 0 ? pid : 0;
}

int child_bury(int *ret_status)
{
    int pid;
    do {
        pid = waitpid(-1, ret_status, WNOHANG);
    } while (pid < 0 && errno == EINTR);
    return pid > 0 ? pid : 0;
}

void child_end_text(int status, char *text, unsigned size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "exit code %d", WEXITSTATUS(status));
}

void child_show_log(const char *log_path, FILE *out)
{
    char text[LOG_TAIL_BYTES + 1];
    FILE *log = fopen(log_path, "re");
    if (log == NULL)
        return;
    if (fseek(log, -LOG_TAIL_BYTES, SEEK_END) != 0)
        rewind(log);
    size_t size = fread(text, 1, LOG_TAIL_BYTES, log);
    fclose(log);
    text[size] = '\0';
    const char *lines = size == LOG_TAIL_BYTES ? strchr(text, '\n') : NULL;
    fprintf(out, "The end of %s:\n%s", log_path, lines == NULL ? text : lines + 1);
}
