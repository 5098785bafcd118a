/* pattern - see pattern.h.
 *
 * A pattern becomes the steps of a machine that is in several states at once. Fragments lie one
 * behind the other as the pattern is read; what follows a fragment (a repeat, a |) is put around it
 * by moving it. So there is no tree, and one pass does it all. */
#include "protocol/pattern.h"

#include <assert.h>
#include <string.h>

#define TOO_LARGE "too large when its repeats are written out"
#define NO_LIMIT UINT32_MAX

enum step_kind {
    STEP_POINT,
    STEP_ANY,
    STEP_CLASS,
    STEP_SPLIT,
    STEP_JUMP,
    STEP_START,
    STEP_END,
    STEP_MATCH
};

struct compiler {
    struct cursor at; /* only its bounds are used */
    struct pattern *out;
    const char *reason; /* NULL: all is well */
    unsigned depth;
};

static void compile_alternatives(struct compiler *self);

/* The next code point of a text, or of a broken one its next byte. */
static uint32_t point_next(struct cursor *at)
{
    unsigned char first = (unsigned char)*at->at++;
    unsigned more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t point = more == 0 ? first : first & (0x3fu >> more);
    if (more > cursor_left(at))
        return first;
    for (; more > 0; more--)
        point = point << 6 | ((unsigned char)*at->at++ & 0x3fu);
    return point;
}

static bool peek(const struct compiler *self, char c)
{
    return cursor_left(&self->at) > 0 && *self->at.at == c;
}

static bool take(struct compiler *self, char c)
{
    bool is_there = peek(self, c);
    self->at.at += is_there;
    return is_there;
}

static void refuse(struct compiler *self, const char *reason)
{
    if (self->reason == NULL)
        self->reason = reason;
    self->at.at = self->at.end;
}

/* Put a step in front of the step at, which moves with its followers. */
static void put(struct compiler *self, size_t at, struct pattern_step step)
{
    struct pattern *out = self->out;
    if (out->count == PATTERN_STEPS_MAX) {
        refuse(self, TOO_LARGE);
        return;
    }
    memmove(&out->steps[at + 1], &out->steps[at], (out->count - at) * sizeof step);
    out->steps[at] = step;
    out->count++;
}

static void append(struct compiler *self, struct pattern_step step)
{
    put(self, self->out->count, step);
}

static void add_range(struct compiler *self, uint32_t low, uint32_t high)
{
    struct pattern *out = self->out;
    if (low > high) {
        refuse(self, "a range that ends before it begins");
    } else if (out->range_count == PATTERN_RANGES_MAX) {
        refuse(self, "too many ranges of characters");
    } else {
        out->ranges[out->range_count].low = low;
        out->ranges[out->range_count++].high = high;
    }
}

/* The ranges of \d, \w, \s (ECMA-262, 22.2.2.9); false: no such class. */
static bool add_named_class(struct compiler *self, char name)
{
    if (name == 'd') {
        add_range(self, '0', '9');
    } else if (name == 'w') {
        add_range(self, '0', '9');
        add_range(self, 'A', 'Z');
        add_range(self, '_', '_');
        add_range(self, 'a', 'z');
    } else if (name == 's') {
        add_range(self, '\t', '\r');
        add_range(self, ' ', ' ');
        add_range(self, 0xa0, 0xa0);
        add_range(self, 0x1680, 0x1680);
        add_range(self, 0x2000, 0x200a);
        add_range(self, 0x2028, 0x2029);
        add_range(self, 0x202f, 0x202f);
        add_range(self, 0x205f, 0x205f);
        add_range(self, 0x3000, 0x3000);
        add_range(self, 0xfeff, 0xfeff);
    } else {
        return false;
    }
    return true;
}

/* A class of the ranges from first on. */
static void append_class(struct compiler *self, size_t first, bool negated)
{
    append(self, (struct pattern_step){.kind = STEP_CLASS,
                                       .first = (int16_t)first,
                                       .second = (int16_t)self->out->range_count,
                                       .point = negated});
}

/* The character that an escape stands for; its backslash has been taken. */
static uint32_t escaped_point(struct compiler *self)
{
    static const char names[] = "nrtfv", points[] = "\n\r\t\f\v";
    if (cursor_left(&self->at) == 0) {
        refuse(self, "a backslash at the end");
        return 0;
    }
    uint32_t point = point_next(&self->at);
    const char *name = point < 0x80 && point != 0 ? strchr(names, (int)point) : NULL;
    if (name != NULL)
        return (uint32_t)points[name - names];
    if (point >= '0' && point <= '9')
        refuse(self, "back-references are not offered");
    bool letter = (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
    if (letter)
        refuse(self, "an escape that is not offered");
    return point;
}

static void compile_escape(struct compiler *self)
{
    size_t first = self->out->range_count;
    static const char names[] = "dwsDWS";
    bool ends = cursor_left(&self->at) == 0;
    const char *name = ends ? NULL : memchr(names, *self->at.at, sizeof names - 1);
    if (name != NULL) {
        self->at.at++;
        (void)add_named_class(self, names[(name - names) % 3]);
        append_class(self, first, name - names >= 3);
    } else {
        append(self, (struct pattern_step){.kind = STEP_POINT, .point = escaped_point(self)});
    }
}

static uint32_t class_point(struct compiler *self)
{
    if (take(self, '\\'))
        return escaped_point(self);
    return cursor_left(&self->at) > 0 ? point_next(&self->at) : 0;
}

/* One character, range or escape in brackets. */
static void compile_class_item(struct compiler *self)
{
    bool escape = peek(self, '\\') && cursor_left(&self->at) > 1;
    if (escape && add_named_class(self, self->at.at[1])) {
        self->at.at += 2;
        return;
    }
    uint32_t low = class_point(self), high = low;
    bool range = peek(self, '-') && cursor_left(&self->at) > 1 && self->at.at[1] != ']';
    if (range) {
        self->at.at++;
        high = class_point(self);
    }
    add_range(self, low, high);
}

/* Its bracket has been taken. Each round takes a byte at least. */
static void compile_class(struct compiler *self)
{
    size_t first = self->out->range_count;
    bool negated = take(self, '^');
    while (cursor_left(&self->at) > 0 && !peek(self, ']'))
        compile_class_item(self);
    if (!take(self, ']'))
        refuse(self, "a bracket that is not closed");
    append_class(self, first, negated);
}

static void compile_group(struct compiler *self)
{
    if (take(self, '?') && !take(self, ':')) {
        refuse(self, "look-around and named groups are not offered");
        return;
    }
    if (self->depth == PATTERN_NESTING_MAX) {
        refuse(self, "groups nested too deep");
        return;
    }
    self->depth++;
    compile_alternatives(self);
    self->depth--;
    if (!take(self, ')'))
        refuse(self, "a parenthesis that is not closed");
}

/* One character, class, group or anchor; false: an anchor, which cannot be repeated. */
static bool compile_atom(struct compiler *self)
{
    static const char signs[] = "*+?{}]";
    if (take(self, '^') || take(self, '$')) {
        bool start = self->at.at[-1] == '^';
        append(self, (struct pattern_step){.kind = start ? STEP_START : STEP_END});
        return false;
    }
    if (take(self, '.'))
        append(self, (struct pattern_step){.kind = STEP_ANY});
    else if (take(self, '['))
        compile_class(self);
    else if (take(self, '('))
        compile_group(self);
    else if (take(self, '\\'))
        compile_escape(self);
    else if (memchr(signs, *self->at.at, sizeof signs - 1) != NULL)
        refuse(self, "a sign that repeats or closes nothing; escape it");
    else
        append(self, (struct pattern_step){.kind = STEP_POINT, .point = point_next(&self->at)});
    return true;
}

static uint32_t take_number(struct compiler *self)
{
    uint32_t number = 0;
    if (cursor_left(&self->at) == 0 || *self->at.at < '0' || *self->at.at > '9')
        refuse(self, "{ without a number; escape it");
    while (cursor_left(&self->at) > 0 && *self->at.at >= '0' && *self->at.at <= '9') {
        number = 10 * number + (uint32_t)(*self->at.at++ - '0');
        if (number > PATTERN_STEPS_MAX)
            refuse(self, TOO_LARGE);
    }
    return number;
}

/* How often, if the pattern says so. */
static bool take_repeat(struct compiler *self, uint32_t *least, uint32_t *most)
{
    *least = peek(self, '+') ? 1 : 0;
    *most = peek(self, '?') ? 1 : NO_LIMIT;
    if (take(self, '{')) {
        *least = *most = take_number(self);
        if (take(self, ','))
            *most = peek(self, '}') ? NO_LIMIT : take_number(self);
        if (!take(self, '}'))
            refuse(self, "{ that is not closed");
        if (*most < *least)
            refuse(self, "a repeat whose most is less than its least");
    } else if (!take(self, '*') && !take(self, '+') && !take(self, '?')) {
        return false;
    }
    (void)take(self, '?');
    return true;
}

/* Write the fragment of so many steps behind all again. */
static void copy_fragment(struct compiler *self, const struct pattern_step *fragment, size_t steps)
{
    for (size_t i = 0; i < steps && self->reason == NULL; i++)
        append(self, fragment[i]);
}

/* Behind all: the fragment, or nothing; or again and again. */
static void copy_optional(struct compiler *self, const struct pattern_step *fragment, size_t steps,
                          bool endless)
{
    int16_t past = (int16_t)(steps + 1 + endless), back = (int16_t) - (int)(steps + 1);
    append(self, (struct pattern_step){.kind = STEP_SPLIT, .first = 1, .second = past});
    copy_fragment(self, fragment, steps);
    if (endless)
        append(self, (struct pattern_step){.kind = STEP_JUMP, .first = back});
}

/* The fragment that begins at start and ends here, as often as wanted. */
static void repeat(struct compiler *self, size_t start, uint32_t least, uint32_t most)
{
    struct pattern_step fragment[PATTERN_STEPS_MAX];
    size_t steps = self->out->count - start;
    memcpy(fragment, &self->out->steps[start], steps * sizeof *fragment);
    self->out->count = start;
    for (uint32_t i = 0; i < least && self->reason == NULL; i++)
        copy_fragment(self, fragment, steps);
    if (most == NO_LIMIT)
        copy_optional(self, fragment, steps, true);
    for (uint32_t i = least; i < most && most != NO_LIMIT && self->reason == NULL; i++)
        copy_optional(self, fragment, steps, false);
}

static void compile_branch(struct compiler *self)
{
    while (cursor_left(&self->at) > 0 && !peek(self, '|') && !peek(self, ')')) {
        uint32_t least, most;
        size_t start = self->out->count;
        bool repeats = compile_atom(self);
        if (self->reason == NULL && repeats && take_repeat(self, &least, &most))
            repeat(self, start, least, most);
    }
}

/* a|b: split to a or behind the jump, a, jump behind b, b. As deep as there are alternatives. */
static void compile_alternatives(struct compiler *self)
{
    size_t start = self->out->count;
    compile_branch(self);
    if (!take(self, '|'))
        return;
    size_t steps = self->out->count - start;
    put(self, start,
        (struct pattern_step){.kind = STEP_SPLIT, .first = 1, .second = (int16_t)(steps + 2)});
    size_t jump = self->out->count;
    append(self, (struct pattern_step){.kind = STEP_JUMP});
    compile_alternatives(self);
    if (self->reason == NULL)
        self->out->steps[jump].first = (int16_t)(self->out->count - jump);
}

const char *pattern_compile(struct bytes text, struct pattern *ret)
{
    struct compiler self = {.at = cursor_over(text), .out = ret};
    ret->count = 0;
    ret->range_count = 0;
    if (text.size > PATTERN_BYTES_MAX)
        return "too long";
    if (!cursor_is_utf8(text))
        return "text that is not UTF-8";
    compile_alternatives(&self);
    if (self.reason == NULL && cursor_left(&self.at) > 0)
        refuse(&self, "a parenthesis that closes nothing");
    append(&self, (struct pattern_step){.kind = STEP_MATCH});
    return self.reason;
}

/* The states that a machine is in. */
struct states {
    uint16_t steps[PATTERN_STEPS_MAX];
    size_t count;
    bool in[PATTERN_STEPS_MAX];
};

struct machine {
    const struct pattern *pattern;
    bool at_start, at_end, matched;
};

/* Enter a step, and those that it leads to without a character. Each is entered once, so the stack
 * holds them all. */
static void enter(struct machine *self, struct states *states, size_t step)
{
    uint16_t stack[2 * PATTERN_STEPS_MAX];
    size_t top = 0;
    stack[top++] = (uint16_t)step;
    while (top > 0) {
        uint16_t i = stack[--top];
        const struct pattern_step *at = &self->pattern->steps[i];
        if (states->in[i])
            continue;
        states->in[i] = true;
        states->steps[states->count++] = i;
        if (at->kind == STEP_MATCH)
            self->matched = true;
        if (at->kind == STEP_JUMP || at->kind == STEP_SPLIT)
            stack[top++] = (uint16_t)(i + at->first);
        if (at->kind == STEP_SPLIT)
            stack[top++] = (uint16_t)(i + at->second);
        if ((at->kind == STEP_START && self->at_start) || (at->kind == STEP_END && self->at_end))
            stack[top++] = (uint16_t)(i + 1);
    }
}

static bool is_in_class(const struct pattern *self, const struct pattern_step *step, uint32_t point)
{
    bool found = false;
    for (int i = step->first; i < step->second && !found; i++)
        found = point >= self->ranges[i].low && point <= self->ranges[i].high;
    return found != (step->point != 0);
}

static bool takes(const struct pattern *self, const struct pattern_step *step, uint32_t point)
{
    if (step->kind == STEP_POINT)
        return point == step->point;
    if (step->kind == STEP_ANY)
        return point != '\n' && point != '\r' && point != 0x2028 && point != 0x2029;
    return step->kind == STEP_CLASS && is_in_class(self, step, point);
}

/* Leave all states; those that take the point lead to the states of then. */
static void step_all(struct machine *self, struct states *now, struct states *then, uint32_t point)
{
    for (size_t i = 0; i < now->count; i++) {
        uint16_t step = now->steps[i];
        now->in[step] = false;
        if (takes(self->pattern, &self->pattern->steps[step], point))
            enter(self, then, step + 1u);
    }
    now->count = 0;
}

bool pattern_matches(const struct pattern *self, struct bytes text)
{
    struct states states[2] = {{.count = 0}, {.count = 0}};
    struct cursor at = cursor_over(text);
    struct machine machine = {self, true, text.size == 0, false};
    unsigned now = 0;
    enter(&machine, &states[now], 0);
    while (!machine.matched && cursor_left(&at) > 0) {
        uint32_t point = point_next(&at);
        machine.at_start = false;
        machine.at_end = cursor_left(&at) == 0;
        step_all(&machine, &states[now], &states[1 - now], point);
        now = 1 - now;
        enter(&machine, &states[now], 0); /* it may begin here too */
    }
    return machine.matched;
}
