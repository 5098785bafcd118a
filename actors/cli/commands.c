/* commands - the one table of everything that the program fact understands. See command.h. */
#include "actors/cli/demo_data.h"
#include "actors/cli/verbs.h"
#include "protocol/limits.h"

#define TIMEOUT_MS_MAX 3600000
#define PINGS_MAX 1000
#define PATH_BYTES_MAX 3000

/* clang-format off */
static const struct cli_option_row options[CLI_OPTION_COUNT] = {
    [CLI_ENDPOINT]  = {"endpoint", 'e', VALUE_TEXT, "ENDPOINT", "tcp://127.0.0.1:5550", "FACT_ENDPOINT",
                       1, 4096, "Frontend of a broker; several with commas"},
    [CLI_OUTPUT]    = {"output", 'o', VALUE_CHOICE, "table|json", "table", "FACT_OUTPUT",
                       0, 0, "How answers are printed"},
    [CLI_TIMEOUT]   = {"timeout", 't', VALUE_DURATION, "DURATION", "5s", "FACT_TIMEOUT",
                       1, TIMEOUT_MS_MAX, "To connect within, and deadline of each request"},
    [CLI_TENANT]    = {"tenant", 0, VALUE_TEXT, "NAME", NULL, "FACT_TENANT",
                       1, NAME_BYTES_MAX, "On whose account"},
    [CLI_USER]      = {"user", 0, VALUE_TEXT, "NAME", NULL, "FACT_USER",
                       1, NAME_BYTES_MAX, "For which end user"},
    [CLI_CLASS]     = {"class", 0, VALUE_CHOICE, "critical_plus|critical|sheddable_plus|sheddable",
                       "critical", "FACT_CLASS",
                       0, 0, "Importance: the last is refused first"},
    [CLI_CONFIG]    = {"config", 0, VALUE_TEXT, "FILE", NULL, "FACT_CONFIG",
                       1, PATH_BYTES_MAX, "fact.yaml"},
    [CLI_KEY]       = {"key", 0, VALUE_TEXT, "FILE", NULL, "FACT_KEY",
                       1, PATH_BYTES_MAX, "Key pair to connect with, NAME.secret of keys generate"},
    [CLI_SERVER_KEY] = {"server-key", 0, VALUE_TEXT, "FILE", NULL, "FACT_SERVER_KEY",
                       1, PATH_BYTES_MAX, "Public key of the broker, its NAME.public"},
    [CLI_QUIET]     = {"quiet", 'q', VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Print the value alone"},
    [CLI_HELP]      = {"help", 'h', VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Explain the command"},
    [CLI_NO_CACHE]  = {"no-cache", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Neither read nor fill the cache"},
    [CLI_REFRESH]   = {"refresh", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Compute anew, and fill the cache"},
    [CLI_HEDGE]     = {"hedge", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "A read that takes long may be given to a second worker, too"},
    [CLI_CACHED]    = {"only-if-cached", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Compute nothing"},
    [CLI_IDEMPOTENT] = {"idempotent", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Running it twice does no harm: it survives the loss of a worker"},
    [CLI_STREAM]    = {"stream", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Print what comes before the answer on stderr, a line of JSON each"},
    [CLI_COUNT]     = {"count", 'n', VALUE_NUMBER, "N", "3", NULL,
                       1, PINGS_MAX, "How many"},
    [CLI_ORIGINS]   = {"origins", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Where each value came from"},
    [CLI_DIR]       = {"dir", 'd', VALUE_TEXT, "DIR", NULL, NULL,
                       1, PATH_BYTES_MAX, "Directory of what is written: ./fact-demo, of keys ./keys"},
    [CLI_COMPANIES] = {"companies", 0, VALUE_NUMBER, "N", "12", NULL,
                       1, DEMO_COMPANIES_MAX, "Firms in the demo data"},
    [CLI_DB]        = {"db", 0, VALUE_TEXT, "FILE", NULL, NULL,
                       1, PATH_BYTES_MAX, "Serve this SQLite file, read-only, instead of demo data"},
    [CLI_ACTORS]    = {"actors", 0, VALUE_TEXT, "ROLE=N,...", "driver=1,cache_partition=2,tool_executor=1",
                       NULL, 1, 256, "How many processes of which role"},
    [CLI_WATCH]     = {"watch", 'w', VALUE_DURATION, "DURATION", NULL, NULL,
                       100, 3600000, "Show it again every so often, until interrupted"},
    [CLI_SORT]      = {"sort", 's', VALUE_CHOICE, "rate|cpu|memory|service|inflight", "rate", NULL,
                       0, 0, "Which workers come first: those with the most of it"},
    [CLI_ONCE]      = {"once", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Show it once"},
    [CLI_INTERVAL]  = {"interval", 'i', VALUE_DURATION, "DURATION", "1s", NULL,
                       100, 3600000, "Between two looks"},
    [CLI_FOLLOW]    = {"follow", 'f', VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Go on with what comes, until interrupted"},
    [CLI_FROM]      = {"from", 0, VALUE_NUMBER, "NUMBER", "1", NULL,
                       1, INT64_MAX, "The first event wanted"},
    [CLI_TOPIC]     = {"topic", 0, VALUE_TEXT, "TOPIC", NULL, NULL,
                       1, 15, "Only these: members, view, invalidate ..."},
    [CLI_BURST]     = {"burst", 0, VALUE_NUMBER, "N", NULL, NULL,
                       1, 1000000, "How many may come at once; else a third of the rate's count"},
    [CLI_MODE]      = {"mode", 0, VALUE_CHOICE, "monitor|enforce", NULL, NULL,
                       0, 0, "Only count what it would refuse, or refuse it"},
    [CLI_DRY_RUN]   = {"dry-run", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Say what would be, and change nothing"},
    [CLI_ROLE]      = {"role", 0, VALUE_TEXT, "ROLE", NULL, NULL,
                       1, NAME_BYTES_MAX, "Of which role, as fact status shows it"},
    [CLI_DEADLINE]  = {"deadline", 0, VALUE_DURATION, "DURATION", "60s", NULL,
                       1, TIMEOUT_MS_MAX, "How long it may finish what it holds"},
    [CLI_MONITOR]   = {"monitor", 0, VALUE_SWITCH, "", NULL, NULL,
                       0, 0, "Wait until they have left; 1 if they do not"},
    [CLI_NAME]      = {"name", 0, VALUE_TEXT, "NAME", NULL, NULL,
                       1, NAME_BYTES_MAX, "Of the key, and so of its files; otherwise fact"},
};

static const struct verb verbs[] = {
    {"query", "TEXT | -", 1, ARGUMENTS_GIVEN_MAX, {CLI_NO_CACHE, CLI_REFRESH, CLI_CACHED, CLI_HEDGE},
     "Ask a question in words",
     "Its answer is exact or none: a question that nothing here can answer ends in \"no data\" and\n"
     "says why and what there is. With - questions are read from stdin, a line each, and each gets\n"
     "one line of answer; with -o json one line of JSON.\n\n"
     "  fact query \"What was the Q1 2025 revenue of all companies?\"\n"
     "  fact -o json query - < questions.txt", verb_query},
    {"call", "METHOD [ARGS | @FILE | -]", 1, 2,
     {CLI_NO_CACHE, CLI_REFRESH, CLI_CACHED, CLI_HEDGE, CLI_IDEMPOTENT, CLI_STREAM},
     "Run a tool with exact arguments, or answer from the cache",
     "ARGS is a JSON object: given, in a file, or on stdin. What JSON has no word for: {\"$base64\":\n"
     "\"..\"} bytes, {\"$u64\": \"..\"} an integer above 2^63 - 1.\n\n"
     "  fact call SQL_QueryReadonly '{\"statement\": \"select count(*) from companies\"}'\n"
     "  fact call Math_Calculator '{\"expression\": \"2 ^ 10\"}'", verb_call},
    {"ping", "", 0, 0, {CLI_COUNT},
     "Measure round trips to the broker", NULL, verb_ping},
    {"status", "", 0, 0, {CLI_WATCH},
     "Show broker, roles and workers; 2 if something is missing",
     "Exits with 2 and says why on stderr if a role has no worker, a queue is nearly full, or a\n"
     "worker is suspect. With --watch 1s it is shown every second until Ctrl-C; with -o json a line\n"
     "each time.", verb_status},
    {"top", "", 0, 0, {CLI_SORT, CLI_ONCE, CLI_INTERVAL},
     "Show what happens now: rates of roles and workers",
     "Every --interval, until Ctrl-C; with -o json a line each time. Rates are those between two\n"
     "looks.\n\n"
     "  fact top --sort cpu\n"
     "  fact -o json top --once --interval 5s", verb_top},
    {"events", "", 0, 0, {CLI_FOLLOW, CLI_FROM, CLI_TOPIC},
     "Show what the broker has told everybody",
     "Number, topic and body of each, oldest first; with -f also what comes, until Ctrl-C; with\n"
     "-o json a line each. The broker keeps the last 65,536. Beats, a second apart, are only shown\n"
     "with --topic members.\n\n"
     "  fact events -f\n"
     "  fact events --topic view", verb_events},
    {"tools list", "", 0, 0, {0},
     "List the tools that are served now", NULL, verb_tools_list},
    {"tools show", "NAME", 1, 1, {0},
     "Show one tool with its schemas", NULL, verb_tools_show},
    {"drain", "[INSTANCE ...]", 0, ARGUMENTS_GIVEN_MAX,
     {CLI_ROLE, CLI_COUNT, CLI_DEADLINE, CLI_MONITOR, CLI_DRY_RUN},
     "Tell workers to take no more, finish what they hold, and leave",
     "By name, or --count of a --role: those that are not sound first, then those with the least to\n"
     "do. A worker that has left ends its process; whoever watches it may start it again.\n\n"
     "  fact drain executor-1 --deadline 10s --monitor\n"
     "  fact drain --role driver --count 2 --dry-run", verb_drain},
    {"undrain", "INSTANCE ...", 1, ARGUMENTS_GIVEN_MAX, {CLI_DRY_RUN},
     "Let workers stay that were told to leave and have not yet",
     "One whose process was told to stop (SIGTERM) goes all the same.", verb_undrain},
    {"dead list", "", 0, 0, {0},
     "List the requests that no worker survived", NULL, verb_dead_list},
    {"dead show", "ID", 1, 1, {0},
     "Show one of them with its body", NULL, verb_dead_show},
    {"dead kick", "ID", 1, 1, {CLI_DRY_RUN},
     "Run one of them again, and show what comes of it",
     "It runs on if this program is ended. If it kills three workers more it is a dead letter again,\n"
     "under another number. --timeout is its deadline.", verb_dead_kick},
    {"config check", "[FILE]", 0, 1, {0},
     "Check a fact.yaml and the environment",
     "The file is FILE or --config. Exits with 2 and names line, key and the nearest right key if\n"
     "something is wrong.", verb_config_check},
    {"config show", "[FILE]", 0, 1, {CLI_ORIGINS},
     "Show every setting that would count", NULL, verb_config_show},
    {"config reload", "", 0, 0, {CLI_DRY_RUN},
     "Have the broker read its settings anew",
     "All or nothing: if something is wrong, everything stays as it was, and it is said what. Names\n"
     "the settings that count from now on, and those that need a restart. What was set by hand, with\n"
     "fact limits set, is again what the settings say.", verb_config_reload},
    {"limits list", "", 0, 0, {0},
     "List the rate limits, and what they did", NULL, verb_limits_list},
    {"limits show", "KIND[:NAME]", 1, 1, {0},
     "Show one rate limit", NULL, verb_limits_show},
    {"limits set", "KIND[:NAME] [RATE]", 1, 2, {CLI_BURST, CLI_MODE, CLI_DRY_RUN},
     "Set a rate limit while the broker runs",
     "KIND is global, tenant, user, tenant_role, method or tool: of each one, or of the one with this\n"
     "NAME. RATE is COUNT/s, /m, /h or /d; unlimited: an exception; off: no limit. Without a rate only\n"
     "what is said changes. A new limit only counts what it would refuse, until --mode enforce. It\n"
     "holds until the broker ends or reads its settings anew.\n\n"
     "  fact limits set user 60/m --burst 20 --mode enforce\n"
     "  fact limits set tenant:acme 100/s\n"
     "  fact limits set tenant:acme off", verb_limits_set},
    {"breaker list", "", 0, 0, {0},
     "List the breakers of methods", NULL, verb_breaker_list},
    {"breaker trip", "ROLE/METHOD", 1, 1, {CLI_DRY_RUN},
     "Refuse a method until the breaker is reset",
     "Its callers get CIRCUIT_OPEN; what runs or waits goes on.\n\n"
     "  fact breaker trip tool_executor/SQL_QueryReadonly", verb_breaker_trip},
    {"breaker reset", "ROLE/METHOD", 1, 1, {CLI_DRY_RUN},
     "Close a breaker, and forget what it has counted", NULL, verb_breaker_reset},
    {"keys generate", "", 0, 0, {CLI_DIR, CLI_NAME},
     "Make a key pair for connections off this machine",
     "Writes NAME.secret, which stays with its owner, and NAME.public, and prints the public key and\n"
     "a line for the allow list. See docs/operations.md, \"Off this machine: keys\".\n\n"
     "  fact keys generate --dir /etc/fact/keys --name broker", verb_keys_generate},
    {"keys show", "", 0, 0, {CLI_DIR, CLI_NAME},
     "List public keys, their ids and age; due: older than 90 days", NULL, verb_keys_show},
    {"keys rotate", "", 0, 0, {CLI_DIR, CLI_NAME},
     "Make a new key pair beside one that is in use",
     "The old files get their key's id as a part of their names. NAME.public then holds both public\n"
     "keys, so that whoever is given it finds the broker before and after it changes its own.",
     verb_keys_rotate},
    {"init", "", 0, 0, {CLI_DIR, CLI_COMPANIES},
     "Write the demo data into DIR/demo.sqlite",
     "Twice does no harm: rows that are missing are added, nothing is ever changed.", verb_init},
    {"demo", "", 0, 0, {CLI_DIR, CLI_COMPANIES, CLI_DB, CLI_ACTORS},
     "Run a whole system in the foreground",
     "Starts a broker and workers from the same directory as this program, prints a line with role,\n"
     "instance and pid for each, and \"ready ENDPOINT\" when questions can be asked. Port 0 in\n"
     "--endpoint means a free one. Logs are in DIR/log. Ends with SIGINT or SIGTERM, within 5 s.\n\n"
     "  fact demo --endpoint tcp://127.0.0.1:0 --actors driver=2,cache_partition=3\n"
     "  fact demo --db ~/music.sqlite", verb_demo},
    {"version", "", 0, 0, {0},
     "Show the versions of program, protocol and libzmq", NULL, verb_version},
    {"help", "[COMMAND]", 0, 2, {0},
     "Explain a command", NULL, verb_help},
};
/* clang-format on */

const struct command_table command_table = {
    .verbs = verbs,
    .verb_count = sizeof verbs / sizeof verbs[0],
    .options = options,
};
