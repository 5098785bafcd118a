/* command - see command.h. */
#include "actors/cli/command.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BYTES_MAX 64u
#define DURATION_MS_MAX (INT64_C(24) * 3600 * 1000)
#define SUGGESTIONS_MAX 64u

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edits from one word to the other, where two letters in the wrong order count once. */
static size_t distance(const char *left, const char *right)
{
    size_t rows[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
    size_t height = strlen(left), width = strlen(right);
    if (height > WORD_BYTES_MAX || width > WORD_BYTES_MAX)
        return SIZE_MAX;
    for (size_t i = 0; i <= height; i++)
        for (size_t j = 0; j <= width; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            size_t differs = left[i - 1] != right[j - 1];
            rows[i][j] =
                least_of(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + differs);
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                rows[i][j] = least_of(rows[i][j], rows[i - 2][j - 2] + 1, SIZE_MAX);
        }
    return rows[height][width];
}

const char *suggestion(const char *text, const char *const *words, size_t count)
{
    size_t best = SIZE_MAX, length = strlen(text);
    const char *found = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t edits = distance(text, words[i]);
        if (length > 1 && strncmp(text, words[i], length) == 0)
            edits = 1;
        if (edits < best) {
            best = edits;
            found = words[i];
        }
    }
    return best <= 1 + length / 4 ? found : NULL;
}

bool duration_parse(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end = NULL;
    if (*text < '0' || *text > '9')
        return false;
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double duration_ms = number * (double)units[i].ms;
        if (strcmp(end, units[i].unit) != 0 || !(duration_ms <= (double)DURATION_MS_MAX))
            continue;
        *ret_ms = (int64_t)(duration_ms + 0.5);
        return true;
    }
    return false;
}

/* What the parser carries along. */
struct parse {
    const struct command_table *table;
    struct invocation *invocation;
    char *reason;
    const char *words[ARGUMENTS_GIVEN_MAX]; /* what is no option */
    unsigned word_count;
};

/* The words that may stand at one place. */
struct word_list {
    size_t count;
    const char *words[SUGGESTIONS_MAX]; /* into texts, or the option table */
    char texts[SUGGESTIONS_MAX][WORD_BYTES_MAX];
};

/* The reason, and the nearest word if one is near. */
static void reason_unknown(struct parse *self, const char *what, const char *text,
                           const struct word_list *list)
{
    const char *bare = text + strspn(text, "-");
    const char *found = suggestion(bare, list->words, list->count);
    if (found == NULL)
        snprintf(self->reason, COMMAND_REASON_BYTES, "unknown %s %s", what, text);
    else
        snprintf(self->reason, COMMAND_REASON_BYTES, "unknown %s %s (did you mean %s%s?)", what,
                 text, bare == text ? "" : "--", found);
}

static bool number_parse(const char *text, int64_t *ret)
{
    char *end = NULL;
    *ret = strtoll(text, &end, 10);
    return *text != '\0' && *end == '\0' && *text != ' ';
}

/* The index of a word in "a|b|c"; -1: none. */
static int64_t choice_find(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (int64_t i = 0; length > 0; i++) {
        size_t size = strcspn(choices, "|");
        if (size == length && strncmp(choices, text, size) == 0)
            return i;
        if (choices[size] == '\0')
            break;
        choices += size + 1;
    }
    return -1;
}

/* Take an option's value; source says where it stood, for the reason. */
static bool option_set(struct parse *self, enum cli_option id, const char *text, const char *source)
{
    const struct cli_option_row *row = &self->table->options[id];
    int64_t number = 1;
    bool good = true;
    if (row->type == VALUE_DURATION)
        good = duration_parse(text, &number);
    else if (row->type == VALUE_NUMBER)
        good = number_parse(text, &number);
    else if (row->type == VALUE_CHOICE)
        good = (number = choice_find(row->value, text)) >= 0;
    else if (row->type == VALUE_TEXT)
        number = (int64_t)strlen(text);
    if (!good && row->type == VALUE_CHOICE)
        snprintf(self->reason, COMMAND_REASON_BYTES, "%s: \"%s\" is none of %s", source, text,
                 row->value);
    else if (!good)
        snprintf(self->reason, COMMAND_REASON_BYTES, "%s: \"%s\" is no %s", source, text,
                 row->type == VALUE_DURATION ? "duration (as in 250ms, 5s, 2m)" : "number");
    else if (row->most != 0 && (number < row->least || number > row->most))
        snprintf(self->reason, COMMAND_REASON_BYTES, "%s: %s is not within %lld and %lld", source,
                 row->type == VALUE_TEXT ? "its length in bytes" : text, (long long)row->least,
                 (long long)row->most);
    else {
        self->invocation->options[id].given = true;
        self->invocation->options[id].text = text;
        self->invocation->options[id].number = number;
        return true;
    }
    return false;
}

/* The option of this name (size bytes), or letter; CLI_OPTION_COUNT: none. */
static enum cli_option option_find(const struct command_table *table, const char *name, size_t size,
                                   char letter)
{
    unsigned id = 0;
    for (; id < CLI_OPTION_COUNT; id++) {
        const struct cli_option_row *row = &table->options[id];
        if (letter != '\0' && row->letter == letter)
            break;
        if (letter == '\0' && strlen(row->name) == size && strncmp(row->name, name, size) == 0)
            break;
    }
    return (enum cli_option)id;
}

static bool option_unknown(struct parse *self, const char *given)
{
    struct word_list list = {.count = CLI_OPTION_COUNT};
    char name[WORD_BYTES_MAX];
    for (unsigned id = 0; id < CLI_OPTION_COUNT; id++)
        list.words[id] = self->table->options[id].name;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(given, "="), given);
    reason_unknown(self, "option", name, &list);
    return false;
}

/* Take argv[*at] as an option: --name=value, --name value, -n value, -nvalue. */
static bool option_take(struct parse *self, int argc, char *const *argv, int *at)
{
    const char *given = argv[*at], *value = NULL;
    bool is_long = given[1] == '-';
    size_t size = is_long ? strcspn(given + 2, "=") : 0;
    char letter = '\0';
    if (!is_long)
        letter = given[1];
    enum cli_option id = option_find(self->table, given + 2, size, letter);
    if (id == CLI_OPTION_COUNT)
        return option_unknown(self, given);
    const struct cli_option_row *row = &self->table->options[id];
    const char *rest = is_long ? given + 2 + size : given + 2;
    char source[WORD_BYTES_MAX];
    snprintf(source, sizeof source, "--%s", row->name);
    if (*rest != '\0')
        value = is_long ? rest + 1 : rest;
    if (row->type == VALUE_SWITCH && value != NULL) {
        snprintf(self->reason, COMMAND_REASON_BYTES, "%s takes no value", source);
        return false;
    }
    if (row->type == VALUE_SWITCH)
        return option_set(self, id, "", source);
    if (value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if (value == NULL) {
        snprintf(self->reason, COMMAND_REASON_BYTES, "%s needs a value: %s", source, row->value);
        return false;
    }
    return option_set(self, id, value, source);
}

static bool word_take(struct parse *self, const char *word)
{
    if (self->word_count == ARGUMENTS_GIVEN_MAX) {
        snprintf(self->reason, COMMAND_REASON_BYTES, "more than %u arguments", ARGUMENTS_GIVEN_MAX);
        return false;
    }
    self->words[self->word_count++] = word;
    return true;
}

/* Options wherever they stand, up to --. A lone - is a word. */
static bool words_take(struct parse *self, int argc, char *const *argv)
{
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        bool good = true;
        if (!only_words && strcmp(argv[i], "--") == 0)
            only_words = true;
        else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0')
            good = option_take(self, argc, argv, &i);
        else
            good = word_take(self, argv[i]);
        if (!good)
            return false;
    }
    return true;
}

/* How many of the words are this command's name; 0: they are not. */
static unsigned name_matches(const char *name, const char *const *words, unsigned count)
{
    unsigned matched = 0;
    while (*name != '\0') {
        size_t size = strcspn(name, " ");
        if (matched == count || strlen(words[matched]) != size ||
            strncmp(words[matched], name, size) != 0)
            return 0;
        matched++;
        name += size + (name[size] == ' ');
    }
    return matched;
}

/* The first words of all names, or the second words of those that begin with first. */
static void words_list(const struct command_table *table, const char *first, struct word_list *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < table->verb_count && ret->count < SUGGESTIONS_MAX; i++) {
        const char *name = table->verbs[i].name;
        size_t size = strcspn(name, " ");
        if (first != NULL &&
            (strlen(first) != size || name[size] != ' ' || strncmp(first, name, size) != 0))
            continue;
        const char *word = first == NULL ? name : name + size + 1;
        char *text = ret->texts[ret->count];
        snprintf(text, WORD_BYTES_MAX, "%.*s", (int)strcspn(word, " "), word);
        if (ret->count == 0 || strcmp(text, ret->texts[ret->count - 1]) != 0)
            ret->words[ret->count++] = text;
    }
}

static bool command_unknown(struct parse *self)
{
    struct word_list list;
    words_list(self->table, self->words[0], &list);
    if (list.count == 0) {
        words_list(self->table, NULL, &list);
        reason_unknown(self, "command", self->words[0], &list);
    } else if (self->word_count > 1) {
        char what[WORD_BYTES_MAX];
        snprintf(what, sizeof what, "command %s", self->words[0]);
        reason_unknown(self, what, self->words[1], &list);
    } else {
        snprintf(self->reason, COMMAND_REASON_BYTES, "%s: which? See: fact help %s", self->words[0],
                 self->words[0]);
    }
    return false;
}

static const struct verb *command_named(const struct command_table *table, const char *name)
{
    for (size_t i = 0; i < table->verb_count; i++)
        if (strcmp(table->verbs[i].name, name) == 0)
            return &table->verbs[i];
    return NULL;
}

static bool command_find(struct parse *self)
{
    struct invocation *invocation = self->invocation;
    unsigned matched = 0;
    if (invocation->options[CLI_HELP].given) {
        invocation->verb = command_named(self->table, "help");
    } else if (self->word_count == 0) {
        snprintf(self->reason, COMMAND_REASON_BYTES, "no command (see: fact help)");
        return false;
    } else {
        for (size_t i = 0; i < self->table->verb_count && matched == 0; i++) {
            invocation->verb = &self->table->verbs[i];
            matched = name_matches(invocation->verb->name, self->words, self->word_count);
        }
        if (matched == 0)
            return command_unknown(self);
    }
    assert(invocation->verb != NULL);
    invocation->argument_count = self->word_count - matched;
    memcpy(invocation->arguments, self->words + matched,
           invocation->argument_count * sizeof self->words[0]);
    return true;
}

static bool has_option(const struct verb *command, enum cli_option id)
{
    bool has = id < CLI_GLOBAL_COUNT;
    for (unsigned i = 0; i < COMMAND_OPTIONS_MAX && command->options[i] >= CLI_GLOBAL_COUNT; i++)
        has = has || command->options[i] == id;
    return has;
}

static bool arguments_check(struct parse *self)
{
    const struct invocation *invocation = self->invocation;
    const struct verb *command = invocation->verb;
    if (invocation->options[CLI_HELP].given)
        return true;
    for (unsigned id = 0; id < CLI_OPTION_COUNT; id++)
        if (invocation->options[id].given && !has_option(command, (enum cli_option)id)) {
            snprintf(self->reason, COMMAND_REASON_BYTES, "%s takes no option --%s", command->name,
                     self->table->options[id].name);
            return false;
        }
    bool few = invocation->argument_count < command->arguments_min;
    if (!few && invocation->argument_count <= command->arguments_max)
        return true;
    snprintf(self->reason, COMMAND_REASON_BYTES, "%s: too %s arguments; it is: fact %s%s%s",
             command->name, few ? "few" : "many", command->name,
             command->arguments[0] == '\0' ? "" : " ", command->arguments);
    return false;
}

/* Environment, then default, of what no flag gave; both are checked like a flag. */
static bool missing_fill(struct parse *self, char *(*environment)(const char *name))
{
    for (unsigned id = 0; id < CLI_OPTION_COUNT; id++) {
        const struct cli_option_row *row = &self->table->options[id];
        const char *value = row->environment == NULL ? NULL : environment(row->environment);
        bool uses = has_option(self->invocation->verb, (enum cli_option)id);
        if (self->invocation->options[id].given || !uses)
            continue;
        bool given = value != NULL && *value != '\0';
        if (!given)
            value = row->missing;
        if (value != NULL &&
            !option_set(self, (enum cli_option)id, value, given ? row->environment : row->name))
            return false;
        self->invocation->options[id].given = given;
    }
    return true;
}

enum exit_code command_parse(const struct command_table *table, int argc, char *const *argv,
                             char *(*environment)(const char *name), struct invocation *ret,
                             char *reason)
{
    struct parse parse = {.table = table, .invocation = ret, .reason = reason};
    ret->table = table;
    ret->verb = NULL;
    ret->argument_count = 0;
    memset(ret->options, 0, sizeof ret->options);
    bool good = words_take(&parse, argc, argv) && command_find(&parse) && arguments_check(&parse) &&
                missing_fill(&parse, environment);
    return good ? CODE_OK : CODE_USAGE;
}
