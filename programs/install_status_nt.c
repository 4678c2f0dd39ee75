/* SPDX-License-Identifier: BSD-2-Clause */
/* install_status_nt.c: driver install and status as verbs: what there is, as lines and as JSON. */
#include "programs/install_facts_nt.h"
#include "control/user_nt.h"

/* What a line is printed of. */
struct all {
	struct lf_machine machine;
	struct lf_driver driver;
	struct lf_message remedy; /* empty: it is usable */
	int status;
};

static void look(const struct lf_command_line *line, struct all *all)
{
	lf_machine_look(&all->machine);
	lf_driver_look(line, &all->driver);
	all->status = lf_why_not_usable(&all->machine, &all->driver, &all->remedy);
}

static const char *state_of(const struct lf_driver *driver)
{
	if (driver->devices == 0)
		return "missing";
	if (!driver->present)
		return "absent";
	if (driver->problem != LF_NO_PROBLEM)
		return "problem";
	return driver->started || driver->answers ? "started" : "stopped";
}

static void write_windows(const struct lf_machine *machine, char *text, size_t room_bytes)
{
	snprintf(text, room_bytes, "%u.%u.%u", machine->major, machine->minor, machine->build);
}

/* ---- Lines ---- */

static void print_line(const char *name, const char *text)
{
	printf("%-10s ", name);
	lf_print_clean(stdout, *text ? text : "-");
	putchar('\n');
}

static const char *flag_text(bool known, bool flag)
{
	return !known ? "" : flag ? "on" : "off";
}

static void print_lines(const struct all *all)
{
	const struct lf_machine *machine = &all->machine;
	const struct lf_driver *driver = &all->driver;
	char windows[40];

	write_windows(machine, windows, sizeof(windows));
	print_line("STATE", state_of(driver));
	print_line("DEVICE", driver->device);
	print_line("DRIVER", driver->version);
	print_line("INF", driver->inf);
	print_line("SERVICE", driver->service ? driver->service : "");
	print_line("ADAPTER", driver->release.bytes);
	print_line("TESTSIGN", flag_text(machine->integrity_known, machine->test_signing));
	print_line("SECUREBOOT", flag_text(machine->secure_boot_known, machine->secure_boot));
	print_line("HVCI", flag_text(machine->integrity_known, machine->memory_integrity));
	print_line("ELEVATED", machine->elevated ? "yes" : "no");
	print_line("WINDOWS", windows);
	print_line("REMEDY", all->remedy.text);
}

/* ---- JSON ---- */

static void json_flag(struct json_object *to, const char *key, bool known, bool flag)
{
	if (known)
		lf_json_flag(to, key, flag);
	else
		json_object_object_add(to, key, NULL);
}

static void print_json(const struct all *all)
{
	const struct lf_machine *machine = &all->machine;
	const struct lf_driver *driver = &all->driver;
	struct json_object *root = lf_json_new(), *array = json_object_new_array();
	struct json_object *object = json_object_new_object();
	char text[40];

	lf_json_flag(object, "usable", all->status == LF_EXIT_DONE);
	lf_json_text(object, "state", state_of(driver));
	lf_json_text(object, "device", driver->device);
	lf_json_number(object, "devices", driver->devices);
	lf_json_number(object, "problem", driver->problem);
	lf_json_number(object, "problem_status", driver->status);
	lf_json_text(object, "driver_version", driver->version);
	lf_json_text(object, "inf", driver->inf);
	lf_json_text(object, "service", driver->service ? driver->service : "");
	lf_json_text(object, "adapter_version", driver->release.bytes);
	json_flag(object, "test_signing", machine->integrity_known, machine->test_signing);
	json_flag(object, "secure_boot", machine->secure_boot_known, machine->secure_boot);
	json_flag(object, "hvci", machine->integrity_known, machine->memory_integrity);
	lf_json_flag(object, "elevated", machine->elevated);
	write_windows(machine, text, sizeof(text));
	lf_json_text(object, "windows", text);
	lf_json_text(object, "remedy", all->remedy.text);
	json_object_array_add(array, object);
	json_object_object_add(root, "drivers", array);
	lf_json_print(stdout, root);
}

void lf_driver_print_json(const struct lf_command_line *line)
{
	struct all all;

	look(line, &all);
	print_json(&all);
}

/* ---- Verbs ---- */

int lf_verb_driver_status(const struct lf_command_line *line)
{
	struct all all;

	look(line, &all);
	if (line->json)
		print_json(&all);
	else
		print_lines(&all);
	return lf_output_end(line, all.status == LF_EXIT_DONE ? LF_EXIT_DONE : LF_EXIT_NO_ADAPTER);
}

/* Prints the device alone, as connect prints an ID. */
int lf_verb_driver_install(const struct lf_command_line *line)
{
	wchar_t inf[MAX_PATH];
	struct all all;
	int status;

	if (line->operand_count > 0 && !lf_wide(line->operands[0], inf, MAX_PATH))
		return lf_report(line, line->operands[0],
			"the path is too long for Windows' setup: copy the package to a shorter one",
			LF_EXIT_FAILED);
	status = lf_driver_install(line, line->operand_count > 0 ? inf : NULL);
	if (status != LF_EXIT_DONE)
		return status;
	look(line, &all);
	if (line->json)
		print_json(&all);
	else
		printf("%s\n", all.driver.device);
	return lf_output_end(line, status);
}
