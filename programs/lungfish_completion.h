/* SPDX-License-Identifier: BSD-2-Clause */
/* lungfish_completion.h: what the scripts for the shells share. */
#ifndef LF_PROGRAMS_LUNGFISH_COMPLETION_H
#define LF_PROGRAMS_LUNGFISH_COMPLETION_H

#include "programs/lungfish.h"

/* The first option of that name: several verbs may have their own. */
bool lf_option_is_first(uint32_t index);
/* The first verb of that first word. */
bool lf_verb_is_first(uint32_t index);
/* Of "ssd|RPM" each word that is meant as it stands, not what stands for something. value goes on; false: it
 * was the last. */
bool lf_value_word(const char **value, const char **word, int *length);

void lf_completion_powershell(void);

#endif
