/* verb_demo - fact demo: a whole system in the foreground.
 *
 * One loop over signals, the handle that asks whether all is there, and the times at which
 * something is started again or given up. Decisions stand in demo_plan. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/cli/children.h"
#include "actors/cli/connect.h"
#include "actors/cli/demo_data.h"
#include "actors/cli/demo_database.h"
#include "actors/cli/demo_plan.h"
#include "actors/cli/document.h"
#include "actors/cli/free_ports.h"
#include "actors/cli/verbs.h"
#include "actors/client/fact.h"
#include "actors/client/transport.h"
#include "protocol/message.h"

#define LOOK_US (20 * US_PER_MS) /* how often the broker's log is read, and the directory asked */
#define UP_US (60 * US_PER_S)    /* all must be there by then */
#define KILL_US (4 * US_PER_S)   /* after the signal; what is left then is killed */
#define STAGE_US (1300 * US_PER_MS) /* of the stop: drivers, then workers, then the broker */
#define STAGES 3u
#define ASK_MS 2000u
#define LOG_HEAD_BYTES 65536

enum phase { PHASE_BROKER, PHASE_WORKERS, PHASE_READY, PHASE_STOPPING };

struct demo {
    const struct invocation *invocation;
    struct demo_plan plan;
    struct demo_surroundings surroundings;
    char programs[DEMO_PATH_BYTES], directory[DEMO_PATH_BYTES], database[DEMO_PATH_BYTES];
    enum phase phase;
    enum exit_code code;
    int signals;
    int64_t now_at, begun_at, look_at, stop_at, stage_at;
    unsigned stage;
    struct fact *handle; /* to one broker after the other, until all are there */
    unsigned asked;      /* which one */
    bool asking;         /* a question is under way */
    bool answered;       /* all that it knows of is at work */
    char missing[DEMO_REASON_BYTES];
};

static void stop(struct demo *self, enum exit_code code)
{
    if (self->phase == PHASE_STOPPING)
        return;
    self->phase = PHASE_STOPPING;
    self->code = code;
    self->stop_at = self->stage_at = self->now_at;
}

static void log_path(const struct demo *self, const struct demo_process *process, char *ret)
{
    snprintf(ret, DEMO_PATH_BYTES + 64, "%s/log/%s.log", self->directory, process->instance);
}

static void start(struct demo *self, struct demo_process *process, bool anew)
{
    struct demo_command command;
    char path[DEMO_PATH_BYTES + 64];
    demo_command_of(process, &self->surroundings, &command);
    log_path(self, process, path);
    process->pid = child_start(command.program, command.arguments, path, anew);
    process->restart.started_at = self->now_at;
    if (process->pid != 0) {
        fprintf(self->invocation->out, "%s %s %d\n", role_name(process->role), process->instance,
                process->pid);
        fflush(self->invocation->out);
        return;
    }
    fprintf(self->invocation->err, "fact: %s cannot be started: %s\n", process->instance,
            strerror(errno));
    process->start_at = restart_after(&process->restart, self->now_at);
}

static void on_ended(struct demo *self, struct demo_process *process, int status)
{
    char path[DEMO_PATH_BYTES + 64];
    char text[64];
    FILE *err = self->invocation->err;
    process->pid = 0;
    if (self->phase == PHASE_STOPPING)
        return;
    child_end_text(status, text, sizeof text);
    process->start_at = restart_after(&process->restart, self->now_at);
    bool loops = process->restart.failures >= RESTARTS_LOOP;
    bool hopeless = self->phase == PHASE_BROKER || (loops && self->phase == PHASE_WORKERS);
    fprintf(err, "%s ended: %s", process->instance, text);
    if (!hopeless)
        fprintf(err, "; started again in %lld ms",
                (long long)((process->start_at - self->now_at) / US_PER_MS));
    fputc('\n', err);
    if (loops && !process->told)
        fprintf(err, "crash loop: %s has ended %u times in a row\n", process->instance,
                process->restart.failures);
    if (hopeless || (loops && !process->told)) {
        log_path(self, process, path);
        child_show_log(path, err);
    }
    process->told = process->told || loops;
    if (hopeless)
        stop(self, CODE_FAILED);
}

static void bury(struct demo *self)
{
    int status, pid;
    while ((pid = child_bury(&status)) != 0)
        for (unsigned i = 0; i < self->plan.count; i++)
            if (self->plan.processes[i].pid == pid)
                on_ended(self, &self->plan.processes[i], status);
}

static void start_what_is_due(struct demo *self)
{
    unsigned count =
        self->phase == PHASE_BROKER ? self->surroundings.broker_count : self->plan.count;
    for (unsigned i = 0; i < count && self->phase != PHASE_STOPPING; i++) {
        struct demo_process *process = &self->plan.processes[i];
        if (process->pid == 0 && process->start_at <= self->now_at)
            start(self, process, process->restart.failures == 0);
    }
}

/* Look for a broker's endpoints in its log; false: it does not listen yet. */
static bool find_endpoints(struct demo *self, unsigned broker)
{
    static char text[LOG_HEAD_BYTES];
    char path[DEMO_PATH_BYTES + 64];
    bool found = false;
    log_path(self, &self->plan.processes[broker], path);
    FILE *log = fopen(path, "re");
    size_t size = log == NULL ? 0 : fread(text, 1, sizeof text, log);
    const char *line = text, *end;
    if (log != NULL)
        fclose(log);
    while (!found && (end = memchr(line, '\n', size - (size_t)(line - text))) != NULL) {
        found = demo_endpoints_read((struct bytes){line, (size_t)(end - line)},
                                    &self->surroundings.brokers[broker]);
        line = end + 1;
    }
    return found;
}

/* When all brokers listen, the others can start. */
static void find_brokers(struct demo *self)
{
    unsigned broker = 0;
    while (broker < self->surroundings.broker_count && find_endpoints(self, broker))
        broker++;
    if (broker == self->surroundings.broker_count)
        self->phase = PHASE_WORKERS;
}

/* Ask the next broker, each for itself. */
static void open_handle(struct demo *self)
{
    const char *endpoint = self->surroundings.brokers[self->asked].frontend;
    struct fact_options options = connect_options(self->invocation, endpoint);
    options.instance = "demo";
    options.given_only = true;
    fact_destroy(&self->handle);
    self->handle = fact_open(&options);
    if (self->handle != NULL)
        return;
    fprintf(self->invocation->err, "fact: cannot connect to %s: %s\n", endpoint, strerror(errno));
    stop(self, CODE_FAILED);
}

static void on_answered(void *context, const struct fact_reply *reply)
{
    struct demo *self = context;
    self->asking = false;
    self->answered = reply->status == STATUS_OK;
    if (!self->answered)
        snprintf(self->missing, sizeof self->missing, "no driver answers: %s",
                 statuses[reply->status].name);
}

static void say_ready(struct demo *self)
{
    char frontends[DEMO_LIST_BYTES], backends[DEMO_LIST_BYTES];
    bool good = demo_list(&self->surroundings, DEMO_FRONTEND, frontends) &&
                demo_list(&self->surroundings, DEMO_BACKEND, backends);
    assert(good); /* prepare() has tried the list of all */
    self->phase = PHASE_READY;
    fprintf(self->invocation->err, "database: %s\nlogs: %s/log\nmore workers: --broker %s\n",
            self->database, self->directory, backends);
    fprintf(self->invocation->out, "ready %s\n", frontends);
    fflush(self->invocation->out);
}

/* One more broker has all it needs. */
static void advance_ready(struct demo *self)
{
    self->answered = false;
    self->asked++;
    if (self->asked == self->surroundings.broker_count)
        say_ready(self);
    else
        open_handle(self);
}

/* A question that passes driver and tool executor, and costs next to nothing. */
static void ask_driver(struct demo *self)
{
    static const char arguments[] = "\x81\xaa"
                                    "expression\xa3"
                                    "1+1";
    char body[256];
    struct fact_request request = FACT_REQUEST;
    struct msg_call call = {.arguments = {arguments, sizeof arguments - 1}};
    enum status status = message_encode(MSG_CALL, &call, body, sizeof body, &request.body);
    assert(status == STATUS_OK);
    request.method = bytes_of("Math_Calculator");
    request.flags = FLAG_IDEMPOTENT | FLAG_NO_CACHE;
    request.timeout_ms = ASK_MS;
    self->asking = fact_submit(self->handle, &request, on_answered, self, NULL) == STATUS_OK;
}

static void on_directory(void *context, const struct fact_reply *reply)
{
    struct demo *self = context;
    struct msg_directory directory;
    self->asking = false;
    if (self->phase != PHASE_WORKERS)
        return;
    if (reply->status != STATUS_OK ||
        message_decode(MSG_DIRECTORY, reply->body, &directory) != STATUS_OK)
        snprintf(self->missing, sizeof self->missing, "the broker has no directory: %s",
                 statuses[reply->status].name);
    else if (demo_is_complete(&self->plan, &directory, self->missing))
        ask_driver(self);
}

static void ask_directory(struct demo *self)
{
    struct fact_request request = FACT_REQUEST;
    request.command = COMMAND_QUERY;
    request.role = ROLE_BROKER;
    request.method = bytes_of("directory");
    request.body = (struct bytes){"\x80", 1};
    request.timeout_ms = ASK_MS;
    self->asking = fact_submit(self->handle, &request, on_directory, self, NULL) == STATUS_OK;
}

static void look(struct demo *self)
{
    if (self->phase >= PHASE_READY || self->now_at < self->look_at)
        return;
    self->look_at = self->now_at + LOOK_US;
    if (self->phase == PHASE_BROKER)
        find_brokers(self);
    else if (self->handle == NULL)
        open_handle(self);
    else if (self->answered)
        advance_ready(self);
    else if (!self->asking)
        ask_directory(self);
    if (self->phase != PHASE_STOPPING && self->now_at - self->begun_at > UP_US) {
        fprintf(self->invocation->err, "fact: not ready after %lld s: %s; see %s/log\n",
                (long long)(UP_US / US_PER_S),
                self->phase == PHASE_BROKER ? "a broker does not listen" : self->missing,
                self->directory);
        stop(self, CODE_UNREACHABLE);
    }
}

/* The stage in which a role is told to end: who asks before those who are asked. */
static unsigned stage_of(enum role role)
{
    return role == ROLE_DRIVER ? 0 : role == ROLE_BROKER ? 2 : 1;
}

/* Tell the processes of this stage to end, again and again: one may just have started. Returns how
 * many there are up to this stage. */
static unsigned end_stage(struct demo *self, unsigned stage, int number)
{
    unsigned left = 0;
    for (unsigned i = 0; i < self->plan.count; i++) {
        struct demo_process *process = &self->plan.processes[i];
        if (process->pid == 0 || stage_of(process->role) > stage)
            continue;
        left++;
        kill(process->pid, number);
    }
    return left;
}

/* True when all have ended. */
static bool advance_stop(struct demo *self)
{
    bool late = self->now_at - self->stop_at >= KILL_US;
    unsigned left = end_stage(self, late ? STAGES : self->stage, late ? SIGKILL : SIGTERM);
    while (!late && self->stage + 1 < STAGES &&
           (left == 0 || self->now_at - self->stage_at >= STAGE_US)) {
        self->stage++;
        self->stage_at = self->now_at;
        left = end_stage(self, self->stage, SIGTERM);
    }
    return left == 0;
}

static void take_signals(struct demo *self)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue; /* bury() looks anyway */
        if (self->phase == PHASE_STOPPING)
            self->stop_at = self->now_at - KILL_US; /* asked twice: at once */
        stop(self, CODE_OK);
    }
}

static int64_t due_at(const struct demo *self)
{
    if (self->phase == PHASE_STOPPING)
        return self->now_at + LOOK_US;
    int64_t due_at = self->phase < PHASE_READY ? self->look_at : INT64_MAX;
    for (unsigned i = 0; i < self->plan.count; i++)
        if (self->plan.processes[i].pid == 0 && self->plan.processes[i].start_at < due_at)
            due_at = self->plan.processes[i].start_at;
    return self->phase == PHASE_BROKER ? self->look_at : due_at;
}

static void sleep_until(struct demo *self, int64_t until_at)
{
    struct pollfd items[2] = {{.fd = self->signals, .events = POLLIN}, {.fd = -1}};
    int64_t left_ms = (until_at - transport_now_at() + US_PER_MS - 1) / US_PER_MS;
    if (self->handle != NULL)
        items[1] = (struct pollfd){.fd = fact_descriptor(self->handle), .events = POLLIN};
    if (until_at == INT64_MAX)
        left_ms = -1;
    else if (left_ms < 0)
        left_ms = 0;
    (void)poll(items, 2, (int)left_ms);
}

static void run(struct demo *self)
{
    bool ended = false;
    self->begun_at = transport_now_at();
    while (!ended) {
        self->now_at = transport_now_at();
        bury(self);
        take_signals(self);
        if (self->phase == PHASE_STOPPING) {
            ended = advance_stop(self);
        } else {
            start_what_is_due(self);
            look(self);
        }
        if (self->handle != NULL)
            fact_process(self->handle);
        if (!ended)
            sleep_until(self, due_at(self));
    }
    fact_destroy(&self->handle);
}

static bool make_directory(const char *path, FILE *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return true;
    fprintf(err, "fact: %s: %s\n", path, strerror(errno));
    return false;
}

static enum exit_code prepare_database(struct demo *self)
{
    FILE *err = self->invocation->err;
    const char *given = self->invocation->options[CLI_DB].text;
    char path[DEMO_PATH_BYTES + 32], reason[512];
    snprintf(path, sizeof path, "%s", given);
    self->surroundings.database_name = "main";
    if (given == NULL) {
        unsigned companies = (unsigned)self->invocation->options[CLI_COMPANIES].number;
        snprintf(path, sizeof path, "%s/demo.sqlite", self->directory);
        self->surroundings.database_name = "demo";
        enum status status = demo_data_write(path, companies, reason, sizeof reason);
        if (status != STATUS_OK) {
            fprintf(err, "fact: %s\n", reason);
            return status == STATUS_BAD_REQUEST ? CODE_INVALID : CODE_FAILED;
        }
    }
    enum exit_code code = demo_database_check(path, err);
    if (code == CODE_OK && realpath(path, self->database) == NULL) {
        fprintf(err, "fact: %s: %s\n", path, strerror(errno));
        code = CODE_INVALID;
    }
    self->surroundings.database = self->database;
    return code;
}

/* Where the brokers are to listen. */
static bool prepare_endpoints(struct demo *self)
{
    const char *endpoint = self->invocation->options[CLI_ENDPOINT].text;
    struct demo_surroundings *ours = &self->surroundings;
    char list[DEMO_LIST_BYTES];
    ours->broker_count = demo_plan_count(&self->plan, ROLE_BROKER);
    bool good = demo_endpoints_from(endpoint, ours->broker_count, ours->brokers);
    if (!good)
        fprintf(self->invocation->err,
                "fact: --endpoint %s: fact demo wants one tcp://HOST:PORT, with a port of 0 to "
                "%u\n",
                endpoint, 65536u - 3 * ours->broker_count);
    const char *colon = strrchr(endpoint, ':');
    if (good && ours->broker_count > 1 && strcmp(colon, ":0") == 0) {
        good = free_ports_find(ours->brokers, ours->broker_count);
        if (!good)
            fprintf(self->invocation->err, "fact: --endpoint %s: %s\n", endpoint, strerror(errno));
    }
    if (good && !demo_list(ours, DEMO_ALL, list)) {
        fprintf(self->invocation->err, "fact: --endpoint %s: its name is too long\n", endpoint);
        good = false;
    }
    return good;
}

/* Directories and paths. */
static enum exit_code prepare(struct demo *self)
{
    const struct invocation *invocation = self->invocation;
    char reason[DEMO_REASON_BYTES], path[DEMO_PATH_BYTES + 32];
    if (!demo_plan_init(&self->plan, invocation->options[CLI_ACTORS].text, reason)) {
        fprintf(invocation->err, "fact: %s\n", reason);
        return CODE_USAGE;
    }
    if (!prepare_endpoints(self))
        return CODE_USAGE;
    ssize_t size = readlink("/proc/self/exe", self->programs, sizeof self->programs - 1);
    char *slash = size > 0 ? strrchr(self->programs, '/') : NULL;
    assert(slash != NULL);
    *slash = '\0';
    self->surroundings.programs = self->programs;
    self->surroundings.config = invocation->options[CLI_CONFIG].text;
    const char *given = invocation->options[CLI_DIR].text;
    const char *directory = given != NULL ? given : DEMO_DIRECTORY;
    if (!make_directory(directory, invocation->err) || realpath(directory, self->directory) == NULL)
        return CODE_FAILED;
    snprintf(path, sizeof path, "%s/log", self->directory);
    return make_directory(path, invocation->err) ? prepare_database(self) : CODE_FAILED;
}

/* Before the first thread, so that all inherit it. */
static int block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* whoever read our lines may be gone */
    signal(SIGINT, SIG_DFL);  /* what a shell ignores for its background never arrives */
    signal(SIGTERM, SIG_DFL);
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

enum exit_code verb_demo(const struct invocation *invocation)
{
    struct demo *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->invocation = invocation;
    enum exit_code code = prepare(self);
    if (code == CODE_OK) {
        self->signals = block_signals();
        assert(self->signals >= 0);
        run(self);
        close(self->signals);
        code = self->code;
    }
    free(self);
    return code;
}
