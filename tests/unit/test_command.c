/* test_command - the one table generates a parser that understands what help says, names what is
 * wrong, and suggests what was meant. */
#include <string.h>

#include "actors/cli/verbs.h"
#include "tests/support/suite.h"

static struct invocation invocation;
static char reason[COMMAND_REASON_BYTES];
static const char *environment_name, *environment_value;

static char *environment(const char *name)
{
    bool is = environment_name != NULL && strcmp(name, environment_name) == 0;
    return is ? (char *)environment_value : NULL;
}

/* Parse words, which stand with a space between them. */
static enum exit_code parse(const char *line)
{
    static char copy[1024];
    char *words[ARGUMENTS_GIVEN_MAX + 2];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    reason[0] = '\0';
    return command_parse(&command_table, count, words, environment, &invocation, reason);
}

static void setup(void)
{
    environment_name = NULL;
}

static const struct {
    const char *line, *name;
    unsigned arguments;
} good[] = {
    {"query what is it", "query", 3},
    {"query -", "query", 1},
    {"query -- --help", "query", 1},
    {"-o json query x", "query", 1},
    {"query x -o json", "query", 1},
    {"call Math_Calculator", "call", 1},
    {"call Math_Calculator {}", "call", 2},
    {"call Math_Calculator {} --stream", "call", 2},
    {"tools list", "tools list", 0},
    {"--endpoint tcp://h:1 tools show X", "tools show", 1},
    {"config check f", "config check", 1},
    {"demo --db f --actors driver=2 --dir d", "demo", 0},
    {"help tools list", "help", 2},
    {"demo --help", "help", 1},
    {"-h", "help", 0},
    {"ping -n5", "ping", 0},
    {"ping --count=7", "ping", 0},
};

START_TEST(what_help_says_is_understood)
{
    ck_assert_msg(parse(good[_i].line) == CODE_OK, "%s", reason);
    ck_assert_str_eq(invocation.verb->name, good[_i].name);
    ck_assert_uint_eq(invocation.argument_count, good[_i].arguments);
}
END_TEST

static const struct {
    const char *line, *reason;
} bad[] = {
    {"qurey x", "unknown command qurey (did you mean query?)"},
    {"stauts", "did you mean status?"},
    {"tools lsit", "unknown command tools lsit (did you mean list?)"},
    {"tools", "tools: which?"},
    {"config chekc", "did you mean check?"},
    {"xyzzy", "unknown command xyzzy"},
    {"--endpiont x query y", "unknown option --endpiont (did you mean --endpoint?)"},
    {"--timeout 5 ping", "--timeout: \"5\" is no duration"},
    {"--timeout -5s ping", "is no duration"},
    {"--timeout 1e9h ping", "is no duration"},
    {"--timeout 0ms ping", "is not within"},
    {"-o yaml ping", "--output: \"yaml\" is none of table|json"},
    {"-o tab ping", "is none of"},
    {"ping --count 0", "not within 1 and 1000"},
    {"ping --count 5x", "is no number"},
    {"ping --count", "--count needs a value"},
    {"ping --quiet=yes", "--quiet takes no value"},
    {"ping extra", "ping: too many arguments"},
    {"call", "call: too few arguments; it is: fact call METHOD"},
    {"ping --db f", "ping takes no option --db"},
    {"", "no command"},
    {"-z", "unknown option -z"},
};

START_TEST(what_is_wrong_is_named_and_what_was_meant_suggested)
{
    ck_assert_int_eq(parse(bad[_i].line), CODE_USAGE);
    ck_assert_msg(strstr(reason, bad[_i].reason) != NULL, "%s", reason);
    ck_assert_ptr_null(strchr(reason, '\n'));
}
END_TEST

START_TEST(a_flag_wins_over_the_environment_and_that_over_the_default)
{
    ck_assert_int_eq(parse("ping"), CODE_OK);
    ck_assert_str_eq(invocation.options[CLI_ENDPOINT].text, "tcp://127.0.0.1:5550");
    ck_assert_int_eq(invocation.options[CLI_TIMEOUT].number, 5000);
    ck_assert(!invocation.options[CLI_TIMEOUT].given);
    environment_name = "FACT_TIMEOUT";
    environment_value = "250ms";
    ck_assert_int_eq(parse("ping"), CODE_OK);
    ck_assert_int_eq(invocation.options[CLI_TIMEOUT].number, 250);
    ck_assert(invocation.options[CLI_TIMEOUT].given);
    ck_assert_int_eq(parse("--timeout 2m ping"), CODE_OK);
    ck_assert_int_eq(invocation.options[CLI_TIMEOUT].number, 120000);
    environment_value = "soon";
    ck_assert_int_eq(parse("ping"), CODE_USAGE);
    ck_assert_ptr_nonnull(strstr(reason, "FACT_TIMEOUT"));
}
END_TEST

START_TEST(class_names_count_as_the_wire_does)
{
    ck_assert_int_eq(parse("query x"), CODE_OK);
    ck_assert_int_eq(invocation.options[CLI_CLASS].number, 1);
    ck_assert_int_eq(parse("--class critical_plus query x"), CODE_OK);
    ck_assert_int_eq(invocation.options[CLI_CLASS].number, 0);
    ck_assert_int_eq(parse("--class sheddable query x"), CODE_OK);
    ck_assert_int_eq(invocation.options[CLI_CLASS].number, 3);
}
END_TEST

START_TEST(more_words_than_there_is_room_for_are_refused)
{
    char line[300];
    for (unsigned count = ARGUMENTS_GIVEN_MAX - 1; count <= ARGUMENTS_GIVEN_MAX; count++) {
        int used = snprintf(line, sizeof line, "query");
        for (unsigned i = 0; i < count; i++)
            used += snprintf(line + used, sizeof line - (size_t)used, " w");
        ck_assert_int_eq(parse(line), count < ARGUMENTS_GIVEN_MAX ? CODE_OK : CODE_USAGE);
    }
}
END_TEST

static char *help_of(const char *const *words, unsigned count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    bool found = command_help(&command_table, words, count, memory);
    fclose(memory);
    ck_assert(found == (size > 0));
    return text;
}

START_TEST(help_names_every_command_and_each_option_with_its_default)
{
    char *all = help_of(NULL, 0);
    for (size_t i = 0; i < command_table.verb_count; i++) {
        const struct verb *verb = &command_table.verbs[i];
        const char *first[] = {verb->name};
        ck_assert_ptr_nonnull(strstr(all, verb->name));
        ck_assert_ptr_nonnull(strstr(all, verb->summary));
        if (strchr(verb->name, ' ') != NULL)
            continue; /* two words: below */
        char *one = help_of(first, 1);
        for (unsigned j = 0; j < COMMAND_OPTIONS_MAX && verb->options[j] >= CLI_GLOBAL_COUNT; j++) {
            const struct cli_option_row *row = &command_table.options[verb->options[j]];
            ck_assert_ptr_nonnull(strstr(one, row->name));
            ck_assert_ptr_nonnull(strstr(one, row->doc));
            if (row->missing != NULL)
                ck_assert_ptr_nonnull(strstr(one, row->missing));
        }
        free(one);
    }
    free(all);
}
END_TEST

START_TEST(help_on_the_first_of_two_words_lists_all_that_follow)
{
    static const char *const tools[] = {"tools", "show"}, *const none[] = {"nothing"};
    char *both = help_of(tools, 1), *one = help_of(tools, 2), *unknown = help_of(none, 1);
    ck_assert_ptr_nonnull(strstr(both, "tools list"));
    ck_assert_ptr_nonnull(strstr(both, "tools show"));
    ck_assert_ptr_null(strstr(one, "tools list"));
    ck_assert_str_eq(unknown, "");
    free(both);
    free(one);
    free(unknown);
}
END_TEST

START_TEST(every_row_of_the_table_is_whole)
{
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option_row *row = &command_table.options[i];
        ck_assert_ptr_nonnull(row->name);
        ck_assert(row->type == VALUE_SWITCH || row->value[0] != '\0');
        for (unsigned j = 0; j < i; j++) {
            ck_assert_str_ne(row->name, command_table.options[j].name);
            ck_assert(row->letter == '\0' || row->letter != command_table.options[j].letter);
        }
    }
    for (size_t i = 0; i < command_table.verb_count; i++) {
        const struct verb *verb = &command_table.verbs[i];
        ck_assert_ptr_nonnull(verb->run);
        ck_assert_uint_le(verb->arguments_min, verb->arguments_max);
        ck_assert((verb->arguments_max == 0) == (verb->arguments[0] == '\0'));
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, what_help_says_is_understood, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(tcase, what_is_wrong_is_named_and_what_was_meant_suggested, 0,
                        sizeof bad / sizeof bad[0]);
    tcase_add_test(tcase, a_flag_wins_over_the_environment_and_that_over_the_default);
    tcase_add_test(tcase, class_names_count_as_the_wire_does);
    tcase_add_test(tcase, more_words_than_there_is_room_for_are_refused);
    tcase_add_test(tcase, help_names_every_command_and_each_option_with_its_default);
    tcase_add_test(tcase, help_on_the_first_of_two_words_lists_all_that_follow);
    tcase_add_test(tcase, every_row_of_the_table_is_whole);
}

int main(void)
{
    return suite_run("command", add_tests);
}
