/* main - the program fact: a command line in, an exit code out. See command.h. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/verbs.h"

int main(int argc, char **argv)
{
    char reason[COMMAND_REASON_BYTES];
    static const char *const version[] = {"version"};
    struct invocation invocation = {.in = stdin, .out = stdout, .err = stderr};
    setlocale(LC_CTYPE, "C.UTF-8"); /* how wide characters are; nothing else */
    if (argc == 1) {
        (void)command_help(&command_table, NULL, 0, stderr);
        return CODE_USAGE;
    }
    bool asks_version = strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0;
    enum exit_code code =
        asks_version
            ? command_parse(&command_table, 1, (char *const *)version, getenv, &invocation, reason)
            : command_parse(&command_table, argc - 1, argv + 1, getenv, &invocation, reason);
    if (code != CODE_OK) {
        fprintf(stderr, "fact: %s\n", reason);
        return code;
    }
    code = invocation.verb->run(&invocation);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("fact: stdout cannot be written\n", stderr);
        return CODE_FAILED;
    }
    return code;
}
