/* SPDX-License-Identifier: BSD-2-Clause */
/* modes.c: the corpus in this process and over iSCSI. */
#include "tests/conformance/modes.h"

static struct way_to *open_inline(void)
{
	return loop_way_open(false);
}

static struct way_to *open_deferred(void)
{
	return loop_way_open(true);
}

const struct corpus_mode corpus_modes[] = {
	{"inline", open_inline, true}, {"deferred", open_deferred, true}, {"iscsi", iscsi_way_open, false}};
const uint32_t corpus_mode_count = sizeof(corpus_modes) / sizeof(corpus_modes[0]);
const char corpus_modes_usage[] =
	"inline and deferred, by the loop edge, and iscsi, which needs $BUILD, where lungfishd is; lungfish\n"
	"comes from $BUILD_GCC if that is set.\n";
