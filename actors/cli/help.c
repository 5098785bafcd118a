/* help - what the table of commands says to people. See command.h. */
#include <assert.h>
#include <string.h>

#include "actors/cli/command.h"

#define NAME_WIDTH 30 /* of the left column */

static void print_option(const struct cli_option_row *row, FILE *out)
{
    char left[128];
    const char *value = row->type == VALUE_SWITCH ? "" : row->value;
    if (row->letter != '\0')
        snprintf(left, sizeof left, "-%c, --%s%s%s", row->letter, row->name,
                 *value == '\0' ? "" : " ", value);
    else
        snprintf(left, sizeof left, "--%s%s%s", row->name, *value == '\0' ? "" : " ", value);
    bool wide = strlen(left) > NAME_WIDTH; /* then the rest has a line of its own */
    fprintf(out, "  %-*s%s", NAME_WIDTH, left, wide ? "\n  " : "");
    fprintf(out, "%*s %s", wide ? NAME_WIDTH : 0, "", row->doc);
    if (row->missing != NULL)
        fprintf(out, " (default: %s)", row->missing);
    if (row->environment != NULL)
        fprintf(out, " [%s]", row->environment);
    fputc('\n', out);
}

static void print_usage(const struct verb *command, FILE *out)
{
    char left[128];
    snprintf(left, sizeof left, "%s%s%s", command->name, command->arguments[0] == '\0' ? "" : " ",
             command->arguments);
    fprintf(out, "  %-*s %s\n", NAME_WIDTH, left, command->summary);
}

static void print_global_options(const struct command_table *table, FILE *out)
{
    fputs("\nOptions of every command:\n", out);
    for (unsigned id = 0; id < CLI_GLOBAL_COUNT; id++)
        print_option(&table->options[id], out);
}

static void print_command(const struct command_table *table, const struct verb *command, FILE *out)
{
    fprintf(out, "fact %s%s%s\n%s\n", command->name, command->arguments[0] == '\0' ? "" : " ",
            command->arguments, command->summary);
    if (command->details != NULL)
        fprintf(out, "\n%s\n", command->details);
    if (command->options[0] >= CLI_GLOBAL_COUNT)
        fputs("\nOptions:\n", out);
    for (unsigned i = 0; i < COMMAND_OPTIONS_MAX && command->options[i] >= CLI_GLOBAL_COUNT; i++)
        print_option(&table->options[command->options[i]], out);
    print_global_options(table, out);
}

static void print_overview(const struct command_table *table, FILE *out)
{
    fputs("fact - exact answers from databases and tools, over one ZeroMQ request\n\n"
          "  fact [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands:\n",
          out);
    for (size_t i = 0; i < table->verb_count; i++)
        print_usage(&table->verbs[i], out);
    print_global_options(table, out);
    fputs("\nExit codes: 0 ok, 1 failed, 2 invalid or degraded, 3 usage, 4 timeout or unreachable, "
          "5 refused.\nAnswers go to stdout, everything else to stderr. More: fact help COMMAND\n",
          out);
}

/* True if the command's name begins with these words, each of them whole. */
static bool name_begins(const char *name, const char *const *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        size_t size = strcspn(name, " ");
        if (strlen(words[i]) != size || strncmp(words[i], name, size) != 0)
            return false;
        name += size + (name[size] == ' ');
    }
    return true;
}

bool command_help(const struct command_table *table, const char *const *words, unsigned count,
                  FILE *out)
{
    const struct verb *only = NULL;
    unsigned found = 0;
    if (count == 0) {
        print_overview(table, out);
        return true;
    }
    for (size_t i = 0; i < table->verb_count; i++)
        if (name_begins(table->verbs[i].name, words, count)) {
            only = &table->verbs[i];
            found++;
        }
    if (found == 1)
        print_command(table, only, out);
    for (size_t i = 0; i < table->verb_count && found > 1; i++)
        if (name_begins(table->verbs[i].name, words, count))
            print_usage(&table->verbs[i], out);
    return found > 0;
}
