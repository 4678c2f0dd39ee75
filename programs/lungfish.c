/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish.c: the command: finds the verb, and has it done. */
#include "programs/lungfish.h"
#include "programs/os.h"
#include "programs/version.h"

#include <string.h>

int main(int argc, char **argv)
{
	struct lf_command_line line;
	int status;

	lf_os_start(&argc, &argv);
	status = lf_table_parse(argc, argv, &line);
	if (status != LF_EXIT_DONE)
		return line.verb && strcmp(line.verb->name, "run") == 0 ? LF_EXIT_RUN_FAILED : status;
	if (line.help) {
		lf_table_help(line.verb);
		return lf_output_end(&line, LF_EXIT_DONE);
	}
	if (line.version) {
		printf("lungfish %s\n", LF_RELEASE);
		return lf_output_end(&line, LF_EXIT_DONE);
	}
	return line.verb->run(&line);
}
