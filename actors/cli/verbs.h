/* verbs - what the commands of commands.c do. Each returns what the process ends with. */
#ifndef ACTORS_CLI_VERBS_H
#define ACTORS_CLI_VERBS_H

#include "actors/cli/command.h"
#include "actors/cli/document.h"

extern const struct command_table command_table;

/* Print a map, as JSON or as lines; it is used up. */
void verb_print_map(const struct invocation *invocation, struct document *document);

enum exit_code verb_query(const struct invocation *invocation);
enum exit_code verb_call(const struct invocation *invocation);
enum exit_code verb_ping(const struct invocation *invocation);
enum exit_code verb_status(const struct invocation *invocation);
enum exit_code verb_top(const struct invocation *invocation);
enum exit_code verb_events(const struct invocation *invocation);
enum exit_code verb_tools_list(const struct invocation *invocation);
enum exit_code verb_tools_show(const struct invocation *invocation);
enum exit_code verb_dead_list(const struct invocation *invocation);
enum exit_code verb_dead_show(const struct invocation *invocation);
enum exit_code verb_dead_kick(const struct invocation *invocation);
enum exit_code verb_drain(const struct invocation *invocation);
enum exit_code verb_undrain(const struct invocation *invocation);
enum exit_code verb_config_check(const struct invocation *invocation);
enum exit_code verb_config_show(const struct invocation *invocation);
enum exit_code verb_config_reload(const struct invocation *invocation);
enum exit_code verb_limits_list(const struct invocation *invocation);
enum exit_code verb_limits_show(const struct invocation *invocation);
enum exit_code verb_limits_set(const struct invocation *invocation);
enum exit_code verb_breaker_list(const struct invocation *invocation);
enum exit_code verb_breaker_trip(const struct invocation *invocation);
enum exit_code verb_breaker_reset(const struct invocation *invocation);
enum exit_code verb_keys_generate(const struct invocation *invocation);
enum exit_code verb_keys_show(const struct invocation *invocation);
enum exit_code verb_keys_rotate(const struct invocation *invocation);
enum exit_code verb_init(const struct invocation *invocation);
enum exit_code verb_demo(const struct invocation *invocation);
enum exit_code verb_version(const struct invocation *invocation);
enum exit_code verb_help(const struct invocation *invocation);

#endif
